"""The order of the segments: the one list to read first."""

from .checkpointing import Pipeline
from .segments import s01_ingest, s02_clean, s03_enrich, s04_report

PIPELINE = Pipeline(s01_ingest, s02_clean, s03_enrich, s04_report, name="delays")
