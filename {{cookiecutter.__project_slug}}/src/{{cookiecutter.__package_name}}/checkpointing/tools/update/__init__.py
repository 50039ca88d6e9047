"""`update`: install a newer version of the template, by cruft and by copies of its files."""
