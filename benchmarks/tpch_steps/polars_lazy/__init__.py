"""TPC-H in polars, with lazy frames."""
