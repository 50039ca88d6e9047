"""The order of the segments: the one list to read first."""

from .checkpointing import Pipeline
from .segments import s01_read, s02_table

PIPELINE = Pipeline(s01_read, s02_table, name="variants")
