"""The folder of the runtime, the package of the project that contains it, the project's folder.

Files of the runtime may move from folder to folder, so every module that has to distinguish the
runtime's code from the project's uses these names.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .errors import ConfigurationError

RUNTIME = Path(__file__).parents[1]
"""The folder of the runtime."""

RUNTIME_NAME = str(__package__).rpartition(".")[0]
"""Its name as it was imported, such as `delays.checkpointing`."""

PACKAGE_NAME, _, FOLDER_NAME = RUNTIME_NAME.rpartition(".")

PIPELINE_FILE = "pipeline.toml"
"""It marks the project's folder."""


def find_project(package: str) -> tuple[Path, Path]:
    """The folders of the project and of its package: of the source, not of an installed copy.

    Imports nothing of the project. Raises ConfigurationError if there is no project here.
    """
    spec = importlib.util.find_spec(package)  # of a top-level package; imports nothing
    places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    for place in places:
        for folder in (place, *place.parents, Path.cwd(), *Path.cwd().parents):
            if (folder / PIPELINE_FILE).is_file():
                sources = (folder / "src" / package, folder / package)
                is_copy = not place.is_relative_to(folder)  # installed, not linked to its source
                return folder, next((p for p in sources if is_copy and p.is_dir()), place)
    raise ConfigurationError(
        f"no {PIPELINE_FILE} in {Path.cwd()} or above it. Run the command in the project's folder."
    )
