"""The parent process: runs each segment to its checkpoint, part by part, and records the run."""
