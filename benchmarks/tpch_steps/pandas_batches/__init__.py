"""TPC-H in pandas, with the large tables in batches."""
