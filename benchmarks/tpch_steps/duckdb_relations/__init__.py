"""TPC-H in DuckDB, with relations."""
