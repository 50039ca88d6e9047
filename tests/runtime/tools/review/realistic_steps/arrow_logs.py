"""Access logs, as Arrow tables that never become Python objects."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from flight_delays.checkpointing import step

SCHEMA = pa.schema([("when", pa.timestamp("s")), ("path", pa.string()), ("status", pa.int16())])


@step
def requests(log_folder: Path) -> pa.Table:
    """All requests of all servers, of the columns that are counted."""
    logs = ds.dataset(log_folder, format="parquet", partitioning="hive")
    return logs.to_table(columns=SCHEMA.names, filter=ds.field("status") > 0).cast(SCHEMA)


@step
def agents(agents_file: Path) -> pa.Table:
    """The browsers that we tell apart."""
    options = pyarrow.csv.ConvertOptions(column_types={"agent": pa.string()})
    return pyarrow.csv.read_csv(agents_file, convert_options=options)


@step
def failed(requests: pa.Table) -> pa.Table:
    """The requests that the server could not answer."""
    mask = pc.greater_equal(requests["status"], 500)
    return requests.filter(mask).append_column("hour", pc.hour(requests.filter(mask)["when"]))


@step
def by_path(requests: pa.Table, failed: pa.Table) -> pa.Table:
    """Requests and failures of each path, the busiest first."""
    counted = requests.group_by("path").aggregate([("status", "count")])
    broken = failed.group_by("path").aggregate([("status", "count")])
    broken = broken.rename_columns(["path", "failed"])
    joined = counted.join(broken, "path", join_type="left outer")
    share = pc.divide(pc.fill_null(joined["failed"], 0), joined["status_count"])
    return joined.append_column("share", share).sort_by([("status_count", "descending")])


@step
def exported(by_path: pa.Table, workdir: Path) -> Path:
    """The table in a folder a status, for another team."""
    target = workdir / "paths"
    ds.write_dataset(by_path, target, format="parquet", max_rows_per_file=1_000_000)
    pq.write_table(by_path.slice(0, 100), workdir / "paths" / "top.parquet")
    return target
