"""`Pipeline`: the declared graph of a project, with `load` and `run`."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any

from .codecs import is_own
from .codecs.several import assemble
from .graph.checking import require_sound, settings_of
from .graph.graph import Graph
from .graph.signatures import annotation_of
from .graph.steps import Segment, segment_of
from .reuse.key import adapters_code

if TYPE_CHECKING:
    from .run.record import RunRecord


class Pipeline(Graph):
    """The order of the segments, refused with the line to fix when it cannot work.

    Args:
        *segments: modules whose `@step` functions make a segment each, or Segments.
        name: the folder of its checkpoints.

    Raises:
        ConfigurationError: every problem of the graph and of the project's TOML files.

    `steps`, `segments` and `settings` are what the source and the TOML files said when it was
    built. `run` and `load` read them anew, so a notebook that is open for days runs what is in the
    files.

    >>> nightly = Pipeline(*PIPELINE.segments, name="nightly")  # the same steps, kept apart
    >>> nightly.steps == PIPELINE.steps
    True
    >>> Pipeline(*PIPELINE.segments, name="../elsewhere")
    Traceback (most recent call last):
    ConfigurationError: pipeline name '../elsewhere': use letters, digits, `_`, `-`, `.`
    """

    def __init__(self, *segments: types.ModuleType | Segment, name: str = "main") -> None:
        builder = _building_module()
        listed = [s if isinstance(s, Segment) else segment_of(s) for s in segments]
        self.settings = settings_of(name, listed)
        super().__init__(listed, name, self.settings.wiring.outputs, builder)
        require_sound(self, self.settings)
        self._adapters = adapters_code() if any(map(is_own, self.codecs())) else {}

    def load(self, value: str) -> Any:
        """A value as a run last made or reused it, of the type that its step returned then.

        Of a table of which later steps name the columns that they read, it has these, and a warning
        says so; see `[checkpoints] columns`.

        `load("split.train")` loads one item of a value that is made of several.

        Raises ConfigurationError, StorageError; see `disk.loading.load_value`.
        """
        from .disk.loading import load_value
        from .run.describing import describe_again

        project = describe_again(self)
        is_edited = project.adapters != self._adapters
        loaded = load_value(project.graph, project.settings, value, adapters_edited=is_edited)
        made = {step.name: step for step in project.graph.steps}.get(value)
        if made is None or made.shape is None or made.shape.kind != "fields":
            return loaded
        return assemble(made.shape, loaded, annotation_of(made.function(), "return"))

    def run(
        self,
        params: dict[str, Any] | None = None,
        budget: str | None = None,
        *,
        keep_all: bool = False,
    ) -> RunRecord:
        """Run what is not checkpointed yet; with `keep_all` every value stays for `load`.

        Raises CheckpointingError; see `run.run.run`.
        """
        from .run.options import RunOptions
        from .run.run import run

        return run(self, RunOptions(params=params or {}, budget=budget, keep_all=keep_all))


def _building_module() -> str | None:
    """The module whose own lines build a Pipeline now; None in a function."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame and frame.f_back else None
    is_module = caller is not None and caller.f_code.co_name == "<module>"
    return caller.f_globals.get("__name__") if caller and is_module else None
