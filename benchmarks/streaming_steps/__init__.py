"""The steps of the benchmark streaming: one module for each segment."""
