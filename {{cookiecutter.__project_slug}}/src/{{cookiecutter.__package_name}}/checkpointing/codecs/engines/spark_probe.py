"""Whether those who compute elsewhere write to the folder that this machine reads."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from ...base.errors import ConfigurationError

_LOOK_SECONDS, _LOOKS = 0.25, 20  # a folder of a network may show late what another has written


def require_shared(session: Any, folder: Path, master: str) -> None:
    """Have an executor write a small file below a folder, and look for it here.

    Raises ConfigurationError.
    """
    probe = folder / "probe"
    try:
        session.range(0, 1, 1, 1).write.parquet(f"file://{probe}")
        for _ in range(_LOOKS):
            if any(path.stat().st_size for path in probe.glob("part-*.parquet")):
                return
            time.sleep(_LOOK_SECONDS)
        why = "what one of them wrote there is not here"
    except Exception as error:
        why = f"one of them could not write there: {_cause(error)}"
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(probe)
    raise ConfigurationError(
        f"the executors of {master} do not share the folder of the checkpoint, {folder.parent}, "
        f"with this machine: {why}. Let [checkpoints] in memory_budget.toml name a folder that all "
        f"of them see at the same path, such as one of NFS, where they may write."
    )


def _cause(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes or lines or [type(error).__name__])[-1 if causes else 0][:300]
