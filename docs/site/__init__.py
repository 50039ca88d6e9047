"""The documentation as a site: `python3 dev.py docs` builds it."""
