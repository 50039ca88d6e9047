"""Commands to inspect and assess a pipeline. No run needs them, and none imports another."""
