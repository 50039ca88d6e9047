"""The child process: runs the steps of one part, commits what they made, and ends."""
