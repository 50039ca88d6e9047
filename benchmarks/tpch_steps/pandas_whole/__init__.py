"""TPC-H in pandas, with whole tables."""
