"""Segments of the sample that are written for Spark; a project that chooses it gets them."""
