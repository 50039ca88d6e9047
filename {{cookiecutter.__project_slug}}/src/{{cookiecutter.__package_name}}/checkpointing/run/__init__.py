"""The parent process: brings each segment to its checkpoint, part by part, and keeps a record."""
