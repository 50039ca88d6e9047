"""What is declared: steps, segments, and the graph of values between them."""
