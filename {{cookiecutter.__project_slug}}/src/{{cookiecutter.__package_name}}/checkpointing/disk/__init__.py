"""What is kept: manifests, commits, the store of checkpoints, and whose place it is."""
