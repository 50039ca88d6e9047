"""The commands `run`, `status`, `show` and `clean`."""
