"""The place where this project registers codecs of its own, for types that the runtime lacks."""
