"""Whether a checkpoint can be reused, and if not, why: keys, inputs, the standing of a segment."""
