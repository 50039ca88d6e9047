"""The commands `run`, `status`, `show` and `clean`, as people see them."""
