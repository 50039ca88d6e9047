"""`new`: write a step, a segment or a pipeline, each with a test, and list it where it belongs."""
