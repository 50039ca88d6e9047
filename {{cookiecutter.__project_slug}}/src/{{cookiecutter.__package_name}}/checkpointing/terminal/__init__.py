"""The commands to work with checkpoints: `run`, `status`, `show` and `clean`."""
