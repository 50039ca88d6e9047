"""TPC-H as an analyst writes it in pandas: 21 steps, each a table of its own, in four segments."""
