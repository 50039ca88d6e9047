"""Trouble, round after round: what `python3 dev.py soak` runs."""
