"""Checkpoints on shared storage: objects at a URL, who may write them, and the local cache."""
