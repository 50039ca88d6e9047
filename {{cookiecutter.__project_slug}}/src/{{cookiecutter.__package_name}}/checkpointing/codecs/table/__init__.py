"""Tables as Arrow: pandas' types to columns of a file, and back without a difference."""
