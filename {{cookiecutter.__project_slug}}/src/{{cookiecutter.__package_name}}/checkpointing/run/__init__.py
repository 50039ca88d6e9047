"""The parent process: decides what runs, has each part run in a worker, and records the run."""
