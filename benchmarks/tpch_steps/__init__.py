"""The steps of the benchmark tpch: a folder for each engine, a module for each segment."""
