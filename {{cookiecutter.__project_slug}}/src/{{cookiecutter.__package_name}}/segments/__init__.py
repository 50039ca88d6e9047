"""The segments of the pipeline: one module each, one function a step."""
