"""`report`: the last run as a page or as Markdown. It reads only the folder `runs/`."""
