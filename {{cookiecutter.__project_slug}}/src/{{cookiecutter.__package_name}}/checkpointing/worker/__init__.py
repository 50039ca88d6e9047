"""The worker process: runs one part (some steps of a segment), commits its values, and exits."""
