"""TPC-H in Spark, with DataFrames and SQL over them."""
