"""Segments of the sample that are written for polars; a project that chooses it gets them."""
