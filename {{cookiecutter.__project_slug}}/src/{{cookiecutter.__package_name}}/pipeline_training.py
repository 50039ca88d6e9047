"""The order of the segments: the one list to read first."""

from .checkpointing import Pipeline
from .segments import s01_ingest, s02_plan, s03_flown, s04_crowd, s05_report, s06_train

PIPELINE = Pipeline(
    s01_ingest, s02_plan, s03_flown, s04_crowd, s05_report, s06_train, name="delays"
)
