"""The charts of the page, each drawn to SVG in two widths."""
