"""Checkpoints on disk: manifests, commits, the store of checkpoints, and who owns its folder."""
