"""Where the runtime lies, and the package of the project that it lies in.

Files of the runtime may move from folder to folder; whoever has to tell the runtime's code from the
project's asks here.
"""

from __future__ import annotations

from pathlib import Path

RUNTIME = Path(__file__).parents[1]
"""The folder of the runtime."""

RUNTIME_NAME = str(__package__).rpartition(".")[0]
"""Its name as it was imported, such as `delays.checkpointing`."""

PACKAGE_NAME, _, FOLDER_NAME = RUNTIME_NAME.rpartition(".")
