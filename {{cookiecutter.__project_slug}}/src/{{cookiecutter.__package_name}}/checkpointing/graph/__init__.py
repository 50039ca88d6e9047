"""Declared pipelines: steps, segments, and the graph of values between them."""
