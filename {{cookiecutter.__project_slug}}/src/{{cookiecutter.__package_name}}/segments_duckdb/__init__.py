"""Segments of the sample that are written for DuckDB; a project that chooses it gets them."""
