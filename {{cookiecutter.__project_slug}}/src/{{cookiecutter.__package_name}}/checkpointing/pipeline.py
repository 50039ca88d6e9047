"""`Pipeline`: segments in order, checked as a whole, and which values are live where.

Steps are numbered through the whole pipeline; a part is a half-open range of those numbers.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bodies import undeclared_uses
from .codecs import codec_named, is_own, output_format
from .errors import ConfigurationError
from .fingerprint import adapters_code
from .settings import Settings, find_root, load_settings, nearest
from .steps import WORKDIR, Parameter, Segment, Step, check_name, segment_of

if TYPE_CHECKING:
    from .history import RunRecord


class Pipeline:
    """The order of the segments, refused with the line to fix when it cannot work.

    Args:
        *segments: modules whose `@step` functions make a segment each, or Segments.
        name: the folder of its checkpoints.

    Raises:
        ConfigurationError: every problem of the graph and of the project's TOML files.

    The object holds plain data only (a step is known by its module and name), so it can be sent
    to another process without the project's own code. `steps`, `segments` and `settings` are what
    the source and the TOML files said when it was built. `run` and `load` read them anew, so a
    notebook that is open for days runs what is in the files.
    """

    def __init__(self, *segments: types.ModuleType | Segment, name: str = "main") -> None:
        check_name("pipeline", name)
        self.name = name
        self.built_by = _building_module()
        self.segments = tuple(s if isinstance(s, Segment) else segment_of(s) for s in segments)
        self.steps = tuple(step for segment in self.segments for step in segment.steps)
        if not self.steps:
            raise ConfigurationError(f"pipeline `{name}` has no steps.")
        first = Path(self.steps[0].file)
        root = find_root(first.parent)
        if root is None:
            raise ConfigurationError(f"no pipeline.toml in a folder above {first}.")
        self.settings: Settings = load_settings(root)
        problems = [*self._problems()]
        if problems:
            listed = "\n".join(f"  {problem}" for problem in problems)
            raise ConfigurationError(f"pipeline `{name}` cannot be built:\n{listed}")
        codecs = [s.codec for s in self.steps]
        codecs += [p.codec for s in self.steps for p in s.parameters]
        self.adapters = adapters_code() if any(map(is_own, codecs)) else {}
        self._made = {step.name: number for number, step in enumerate(self.steps)}
        self._last_use = dict(self._made)
        for number, step in enumerate(self.steps):
            self._last_use.update({p.name: number for p in self.values_of(step)})

    def load(self, value: str) -> Any:
        """A value as a run last made or reused it, of the type that its step returned then.

        Raises ConfigurationError, StorageError; see `loading.load_value`.
        """
        from .describing import describe_again
        from .loading import load_value

        return load_value(describe_again(self).pipeline, value, imported=self.adapters)

    def run(self, params: dict[str, Any] | None = None, budget: str | None = None) -> RunRecord:
        """Run what is not checkpointed yet. Raises CheckpointingError; see `runner.run`."""
        from .runner import RunOptions, run

        return run(self, RunOptions(params=params or {}, budget=budget))

    def read_anew(self) -> Pipeline:
        """The pipeline as its source says now, in a process that has not imported it before.

        Raises ConfigurationError.
        """
        return Pipeline(*(segment.read_anew() for segment in self.segments), name=self.name)

    def span(self, segment: Segment) -> range:
        """The numbers of a segment's steps."""
        before = self.segments[: self.segments.index(segment)]
        start = sum(len(s.steps) for s in before)
        return range(start, start + len(segment.steps))

    def producer(self, value: str) -> Segment:
        """The segment that makes a value."""
        return next(s for s in self.segments if any(step.name == value for step in s.steps))

    def values_of(self, step: Step) -> tuple[Parameter, ...]:
        """The parameters of a step that are earlier steps' values."""
        return tuple(p for p in step.parameters if p.name in self._made)

    def last_use(self, value: str) -> int:
        """The number of the last step that reads a value, or of the step that makes it."""
        return self._last_use[value]

    def loaded(self, part: range) -> tuple[str, ...]:
        """Values that a part reads from earlier checkpoints, in the order of first use."""
        names = (p.name for n in part for p in self.values_of(self.steps[n]))
        return tuple(dict.fromkeys(n for n in names if self._made[n] < part.start))

    def kept(self, part: range) -> tuple[str, ...]:
        """Values made in a part that a later part reads."""
        made = (self.steps[n] for n in part)
        return tuple(s.name for s in made if self._last_use[s.name] >= part.stop)

    def outputs(self, part: range) -> tuple[str, ...]:
        """Values made in a part that are published, or that nothing reads."""
        made = ((n, self.steps[n]) for n in part)
        published = self.settings.wiring.outputs
        return tuple(
            s.name
            for n, s in made
            if not s.is_sink and (s.name in published or self._last_use[s.name] == n)
        )

    def _problems(self) -> Iterator[str]:
        yield from self._problems_of_names()
        yield from self._problems_of_outputs()
        earlier: dict[str, Step] = {}
        for step in self.steps:
            for parameter in step.parameters:
                yield from self._problems_of_parameter(step, parameter, earlier)
            for name in undeclared_uses(step, set(earlier) - {p.name for p in step.parameters}):
                yield (
                    f"{step.place}: the body uses `{name}`, an earlier step. Add `{name}` to the "
                    f"parameters to receive its value."
                )
            earlier[step.name] = step

    def _problems_of_names(self) -> Iterator[str]:
        wiring = self.settings.wiring
        taken = {WORKDIR: "the runtime"}
        for table, names in (("[inputs]", wiring.inputs), ("[params]", wiring.params)):
            for name in names:
                if name in taken:
                    yield f"pipeline.toml: {table} `{name}`: the name is taken by {taken[name]}."
                taken[name] = table
        segments: set[str] = set()
        most = self.settings.memory.segment.max_steps
        for segment in self.segments:
            if segment.name in segments:
                yield f"two segments are named `{segment.name}`."
            segments.add(segment.name)
            if not segment.steps:
                yield f"segment `{segment.name}` has no steps."
            if len(segment.steps) > most:
                yield (
                    f"{segment.steps[most].place}: segment `{segment.name}` has "
                    f"{len(segment.steps)} steps, max_steps in memory_budget.toml is {most}. "
                    f"Move the later ones to a segment of their own."
                )
            for step in segment.steps:
                if step.name in taken:
                    yield f"{step.place}: the name `{step.name}` is taken by {taken[step.name]}."
                taken[step.name] = f"the step at {step.file}:{step.line}"

    def _problems_of_parameter(
        self, step: Step, parameter: Parameter, earlier: dict[str, Step]
    ) -> Iterator[str]:
        wiring = self.settings.wiring
        name = parameter.name
        where = f"{step.place}: parameter `{name}`"
        if parameter.columns is not None and name not in earlier:
            yield f"{where}: Columns applies to an earlier step's table only."
        if name == WORKDIR:
            if parameter.annotation is not Path:
                yield f"{where} is a fresh folder; annotate it `Path`."
        elif name in earlier:
            yield from _problems_of_loading(where, parameter, earlier[name])
        elif name in wiring.inputs:
            is_url = "://" in wiring.inputs[name]
            allowed = (str,) if is_url else (Path, list[Path])
            if parameter.annotation not in allowed:
                wanted = "`str`, for it is a URL" if is_url else "`Path`"
                yield f"{where} is one of [inputs]; annotate it {wanted}."
        elif name in wiring.params:
            if parameter.annotation is None or parameter.annotation is Path:
                other = "" if parameter.codec else f", not as {parameter.type_name}"
                yield (
                    f"{where} is one of [params]; annotate it as what TOML gives, such as `int`"
                    f"{other}."
                )
        elif any(name == later.name for later in self.steps):
            yield f"{where} is the value of a later step; move that step before this one."
        else:
            known = [*earlier, *wiring.inputs, *wiring.params]
            yield (
                f"{where}: no earlier step, [inputs] or [params] entry of pipeline.toml has that "
                f"name{nearest(name, known)}"
            )

    def _problems_of_outputs(self) -> Iterator[str]:
        wiring, root = self.settings.wiring, self.settings.root
        codecs = {step.name: step.codec for step in self.steps}
        taken = {root / text: f"[inputs] `{name}`" for name, text in wiring.inputs.items()}
        taken |= {
            self.settings.checkpoints: "the checkpoints",
            self.settings.runs: "the run records",
            root / "src": "the project's code",
        }
        for name, text in wiring.outputs.items():
            target = root / text
            for other, what in taken.items():
                if target.is_relative_to(other) or other.is_relative_to(target):
                    yield f"pipeline.toml: [outputs] `{name}` = {text!r} would overwrite {what}."
            taken[target] = f"[outputs] `{name}`"
            if name in codecs:
                yield from _problems_of_publishing(name, codecs[name], target.suffix)
            else:
                yield f"pipeline.toml: [outputs] `{name}` is no step{nearest(name, list(codecs))}"


def _building_module() -> str | None:
    """The module whose own lines build a Pipeline now; None in a function."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame and frame.f_back else None
    is_module = caller is not None and caller.f_code.co_name == "<module>"
    return caller.f_globals.get("__name__") if caller and is_module else None


def _problems_of_publishing(name: str, codec: str | None, suffix: str) -> Iterator[str]:
    form = output_format(codec_named(codec).family) if codec else None
    if codec is None:
        yield f"pipeline.toml: [outputs] `{name}` returns None, there is nothing to publish"
    elif form is not None and suffix != form.suffix:
        yield (
            f"pipeline.toml: [outputs] `{name}` is published as {form.suffix}, not "
            f"{suffix or 'without a suffix'}. For another format, write the file in a step that "
            f"takes `workdir: Path` and returns its path."
        )


def _problems_of_loading(where: str, parameter: Parameter, producer: Step) -> Iterator[str]:
    if producer.codec is None:
        yield f"{where}: `{producer.name}` returns None, there is no value to receive."
        return
    stored = codec_named(producer.codec)
    if parameter.codec is None or codec_named(parameter.codec).family != stored.family:
        yield (
            f"{where}: `{producer.name}` makes a {stored.type_name}, which cannot be loaded as "
            f"{parameter.type_name}. Annotate it as that type."
        )
    elif parameter.columns is not None and stored.family != "table":
        yield f"{where}: Columns applies to tables only."
