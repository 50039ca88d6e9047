"""The worker process: runs the steps of one part, commits their values, and exits."""
