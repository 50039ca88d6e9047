"""Whether a checkpoint serves, and if not, why: keys, inputs, the standing of a segment."""
