"""`report`: the last run as a page or as Markdown. What it shows is read from `runs/` alone."""
