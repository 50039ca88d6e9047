"""Whether a checkpoint can be reused or is stale, and why: keys, inputs, standings."""
