"""Tools to see and judge a pipeline. No run needs them, and no tool imports another."""
