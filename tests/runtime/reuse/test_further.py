"""Code outside of the project is named from the project's folder, so each clone has its own."""

from __future__ import annotations

from pathlib import Path

from flight_delays.checkpointing.reuse.first_party import digest_of
from flight_delays.checkpointing.reuse.further import changed_code, place_of

from ..builders import write


def clone(folder: Path, number: int) -> tuple[Path, Path]:
    """A project's folder, and a module of the repository that lies beside it."""
    (folder / "project").mkdir(parents=True)
    return folder / "project", write(folder / "lib" / "rates.py", f"RATE = {number}\n")


def test_a_clone_with_the_same_code_beside_it_reuses(tmp_path: Path) -> None:
    root, file = clone(tmp_path / "a", 1)
    other, _ = clone(tmp_path / "elsewhere" / "b", 1)
    further = {"rates": (place_of(file, root), digest_of("rates", file))}
    file.unlink()

    assert further["rates"][0] == "../lib/rates.py"
    assert changed_code(further, other) == []


def test_a_clone_with_other_code_beside_it_does_not_look_at_that_of_the_maker(
    tmp_path: Path,
) -> None:
    root, file = clone(tmp_path / "a", 1)
    other, _ = clone(tmp_path / "b", 2)
    further = {"rates": (place_of(file, root), digest_of("rates", file))}

    assert changed_code(further, root) == []
    assert changed_code(further, other) == ["rates"]


def test_code_that_a_former_runtime_named_by_its_whole_path_is_still_known(tmp_path: Path) -> None:
    root, file = clone(tmp_path / "a", 1)
    further = {"rates": (file.as_posix(), digest_of("rates", file))}

    assert changed_code(further, root) == []
