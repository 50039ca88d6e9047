"""The two TOML files of a project, read and checked: memory_budget.toml and pipeline.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from .elsewhere import ExecutorTable
from .errors import ConfigurationError
from .forms import (
    FolderPath,
    Headroom,
    LeaseTime,
    MasterText,
    PathText,
    Seconds,
    Share,
    SharedFolder,
    Size,
    SparkConf,
    VariableName,
)
from .masters import parse_master
from .mistakes import told
from .reading import read_toml
from .refusals import NotAFile, Unreadable, refusal_of, remedy_of
from .texts import shown
from .units import Count
from .urls import folder_of

MEMORY_BUDGET_FILE = "memory_budget.toml"
PIPELINE_FILE = "pipeline.toml"
SPARK_MASTER = "SPARK_MASTER"

Model = TypeVar("Model", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cluster(_Table):
    """The cluster's RAM in bytes, and the share of it that this project was granted."""

    ram: Annotated[Size, Field(gt=0)]
    """All RAM of the cluster."""

    quota: Share
    """The share of it that this project may use."""


class Budget(_Table):
    """How memory is counted: `held` leaves out what the kernel can drop, `rss` counts it.

    Memory that processes share counts once as `held`, and once for each of them as `rss`.
    """

    count: Count = "held"
    """`rss` is for schedulers that count mapped pages too, such as YARN and Kubernetes."""


class Segments(_Table):
    """Limits on one segment."""

    max_steps: PositiveInt = 10
    """The most steps that a segment may have."""

    headroom: Headroom = 0.2
    """The share of the budget that the planner leaves free; the watchdog enforces all of it."""

    checkpoint_every: Seconds | None = None
    """After so long a part ends with its step, so that a kill repeats no more than that."""


class Checkpoints(_Table):
    """Where checkpoints are stored, in which format, and how many stay."""

    path: SharedFolder = Path("checkpoints")
    """Where they are: a folder, relative to the project's, or a URL that several machines share."""

    cache: FolderPath = Path("checkpoints")
    """The local folder of what is read and written here, if `path` is a URL."""

    format: Literal["arrow", "parquet"] = "arrow"
    """`parquet` is smaller on disk, and slower."""

    columns: Literal["read", "all"] = "read"
    """Of a table whose readers all name columns: those that they `read`, or `all`."""

    keep: NonNegativeInt = 2
    """How many older checkpoints of a segment stay, for each set of params."""

    max_disk: Size = ByteSize(500 * 10**9)
    """The most disk that all checkpoints of the project may take."""

    cache_max: Size = Field(default="50 GB", validate_default=True)
    """The most disk that `cache` may take; files that are at the URL too go first."""

    lease: LeaseTime = Field(default="60 s", validate_default=True)
    """How long after its last sign of life a run that uses the URL counts as dead."""

    keep_all: bool = False
    """Whether segments that run keep all of their values, as `run --keep-all` does for one run."""


class Runs(_Table):
    """Where the records and logs of runs are stored."""

    path: FolderPath = Path("runs")
    """Their folder, relative to the project's."""


class Spark(_Table):
    """Where the steps of Spark run, and how the budget of a part is divided there."""

    master: MasterText = "local[*]"
    """The environment variable SPARK_MASTER comes before it."""

    master_ui: Annotated[str, Field(pattern=r"^(https?://[^\s@]+)?$")] = ""
    """The address of the web page of a `spark://` master, if it is not port 8080 of its host."""

    executors: PositiveInt = 2
    """How many executors a part has on a cluster."""

    cores: PositiveInt = 2
    """How many cores each of them has; `local[n]` says that itself."""

    python_memory: Size = ByteSize(0)
    """What a Python worker of each core may take, where steps have Python functions of their own.
    """

    wait: Seconds = 120
    """How long a part waits for the cluster to give it its first executor."""

    conf: SparkConf = {}
    """Further settings of Spark, which only the place knows."""


class MemoryBudget(_Table):
    """memory_budget.toml, owned by the architects."""

    cluster: Cluster
    budget: Budget = Budget()
    segment: Segments = Segments()
    checkpoints: Checkpoints = Checkpoints()
    runs: Runs = Runs()
    spark: Spark = Spark()


class Reuse(_Table):
    """What a key leaves out."""

    ignore: tuple[Annotated[str, Field(pattern=r"^!?[^!]")], ...] = ()
    """Names of files and folders that do not count in inputs and in the package, such as `"*.tmp"`.

    A pattern with a slash applies to the path within an input or a package; `!` before a pattern
    takes back one of the list in `base/litter.py`, or of this one. The last match decides.
    """


class Steps(_Table):
    """How the steps of a segment run."""

    order: Literal["written", "planned"] = "written"
    """`planned`: where steps do not read from each other, as it moves the fewest bytes."""


def _by_item(outputs: Any) -> Any:
    """`split.train = "…"`, which TOML reads as a table within a table, as one name."""
    if not isinstance(outputs, dict):
        return outputs
    flat: dict[str, Any] = {}
    for name, place in outputs.items():
        items = place if isinstance(place, dict) else {"": place}
        flat |= {f"{name}.{key}" if key else name: inner for key, inner in items.items()}
    return flat


def _default(value: object) -> object:
    """A default as an environment would give it: text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else value


class Variable(_Table):
    """One entry of [env]: the environment variable that a step may take as a parameter.

    `region = "REGION"` is short for `region = { variable = "REGION" }`.
    """

    variable: VariableName
    """Its name in the environment of the process that starts the run."""

    default: Annotated[str | None, BeforeValidator(_default)] = None
    """What the step gets where the variable is not set; without one, the run is refused."""

    secret: bool = False
    """Its value is in no key, record, log or message, and changing it runs no step again."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        if isinstance(value, str):
            return {"variable": value}
        if not isinstance(value, dict):
            raise ValueError('write the name of a variable, or { variable = "NAME", ... }')
        return value

    @model_validator(mode="after")
    def _secret_without_default(self) -> Self:
        if self.secret and self.default is not None:
            raise ValueError("a secret has no default: it would be in this file. Drop `default`")
        return self


class Wiring(_Table):
    """pipeline.toml, owned by the team: inputs, params and published outputs by name."""

    inputs: dict[str, str] = {}
    """Files, folders and globs, relative to the project, or URLs; a step names one to get it.

    A glob needs a parameter annotated `list[Path]`, a URL one annotated `str`.
    """

    params: dict[str, Any] = {}
    """Values of any TOML type, checked against the annotation of the step that names one."""

    env: dict[str, Variable] = {}
    """Environment variables that a step gets by naming one as a parameter: as `str`, or read as
    `int`, `float` or `bool` where the step says so. A secret is a `str`."""

    outputs: Annotated[dict[str, PathText], BeforeValidator(_by_item)] = {}
    """Where a value is published: whole or not at all, to a path that `clean` never touches.

    An item of a value that is made of several has a line of its own: `split.train = "…"`.
    """

    sinks: dict[str, PathText] = {}
    """The file, folder or glob that a sink writes: when it is gone, `run` repeats the sink."""

    run_on: dict[str, str] = {}
    """The segments that run elsewhere than here: each with the name of one of [executors]."""

    executors: dict[str, ExecutorTable] = {}
    """Infrastructure that lives only while a segment runs on it, by name."""

    reuse: Reuse = Reuse()
    steps: Steps = Steps()


@dataclass(frozen=True)
class Settings:
    """The whole configuration of a project, and the folder that its relative paths start from."""

    root: Path
    memory: MemoryBudget
    wiring: Wiring

    @property
    def checkpoints(self) -> Path:
        """The local folder of checkpoints: all of them, or what is cached of those at the URL."""
        place = self.memory.checkpoints.path
        return self.root / (self.memory.checkpoints.cache if isinstance(place, str) else place)

    @property
    def checkpoints_url(self) -> str | None:
        """The URL where checkpoints are shared; None if they are on this machine alone."""
        place = self.memory.checkpoints.path
        return place if isinstance(place, str) else None

    @property
    def runs(self) -> Path:
        return self.root / self.memory.runs.path

    @property
    def spark(self) -> Spark:
        """[spark], where SPARK_MASTER of the environment comes before its `master`.

        Raises ConfigurationError.
        """
        spark = self.memory.spark
        if not (text := os.environ.get(SPARK_MASTER, "").strip()):
            return spark
        try:
            return spark.model_copy(update={"master": parse_master(text).text})
        except ValueError as error:
            raise ConfigurationError(f"the environment's {SPARK_MASTER}: {error}.") from None

    def keeping_all(self) -> Settings:
        """These settings with `keep_all = true`."""
        kept = self.memory.checkpoints.model_copy(update={"keep_all": True})
        return replace(self, memory=self.memory.model_copy(update={"checkpoints": kept}))


def load_settings(root: Path) -> Settings:
    """Read both files of the project in `root`.

    Raises:
        ConfigurationError: a file is missing, is not TOML, or contains a wrong or unknown key; the
            message names the file, the key, and for an unknown key the nearest known one. Or the
            cache lies where it is the cache of.
    """
    memory = _read(root / MEMORY_BUDGET_FILE, MemoryBudget)
    wiring = _read(root / PIPELINE_FILE, Wiring)
    settings = Settings(root, memory, wiring)
    _require_apart(settings)
    return settings


def _require_apart(settings: Settings) -> None:
    """Refuse a file URL whose folder has the cache in it, or lies in it."""
    folder = settings.checkpoints_url and folder_of(settings.checkpoints_url)
    if not folder:
        return
    shared, cache = folder.resolve(), settings.checkpoints.resolve()
    if shared.is_relative_to(cache) or cache.is_relative_to(shared):
        raise ConfigurationError(
            f"{MEMORY_BUDGET_FILE}: [checkpoints] path and cache are one folder, or one lies in "
            f"the other ({shared} and {cache}). Name two folders; or write the path without "
            f"file://, then there is no cache."
        )


def find_root(*places: Path) -> Path | None:
    """The nearest folder, from the first place that has one upwards, with a pipeline.toml."""
    for place in places:
        for folder in (place, *place.parents):
            if (folder / PIPELINE_FILE).is_file():
                return folder
    return None


def _read(path: Path, model: type[Model]) -> Model:
    try:
        data = read_toml(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is missing. Run the command from the project's folder, or restore the file."
        ) from None
    except NotAFile as error:
        raise ConfigurationError(f"{path} cannot be read: {error}. {remedy_of(error)}") from None
    except Unreadable as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {refusal_of(error)}. {remedy_of(error)}"
        ) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [told(item, model) for item in error.errors()]
        raise ConfigurationError(f"{path}:\n" + "\n".join(f"  {p}" for p in problems)) from None


def parse_size(text: str | int, where: str) -> int:
    """Bytes from "2GB", "512 MiB" or a number. Raises ConfigurationError."""
    try:
        count = int(TypeAdapter(Size).validate_python(text))
    except ValidationError:
        count = 0
    if count <= 0:
        raise ConfigurationError(
            f"{where}: {shown(text)} is not a size; write it like 2GB or 512MiB"
        )
    return count
