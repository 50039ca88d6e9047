"""Tables of pandas and Arrow as Arrow files, restored exactly."""
