"""The executor `skypilot`: a machine of a cloud, of Kubernetes, of Slurm, or one behind SSH.

SkyPilot stays a program of its own, the command `sky`, in an environment of its own: it brings a
hundred packages. Three of its habits shape this file:

- it works in a server that goes on when its client is killed, so a launch under way has to be
  cancelled there, by whoever destroys the place;
- a launch that fails leaves what it has made, with no timer, so nothing rests on its `--down`;
- `sky launch` succeeds once the job is submitted, and no command tells the exit code of a job, so
  the last line of the job says it.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..base.elsewhere import ExecutorTable
from ..base.errors import ExecutorError
from ..base.units import duration
from .interface import Living, Task
from .ledger import prefix_of
from .skypilot_command import answer, ask, ask_list, follow, program, start_server
from .skypilot_task import ended_mark, no_environment_mark, task_file

_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)  # seconds after each attempt that failed
_GRACE = 300.0  # seconds after the time limit, in which the infrastructure ends itself
_LINES = 12  # of a launch, in an error
_SUCCEEDED, _CANNOT_ASK, _UNFINISHED = 0, 1, 101  # what `sky logs --status` exits with
_OF_A_JOB = re.compile(r"\([^()]*, pid=\d+\) ?(.*)")


class SkyPilot:
    """Runs a task as the only job of a cluster of SkyPilot; see `Executor`.

    Args:
        pauses: seconds after each attempt that failed; so many attempts there are.
    """

    def __init__(
        self, name: str, table: ExecutorTable, folder: Path, pauses: Sequence[float] = _PAUSES
    ) -> None:
        program()  # or something would be begun that nobody could end
        self._name = name
        self._table = table
        self._folder = folder
        self._pauses = pauses

    def run(self, task: Task, say: Callable[[str], None]) -> int:
        start_server()  # without the variables of the task
        self._launch(task, say)
        heard, failures = 0, 0
        while failures < len(self._pauses):  # the connection may break while the job goes on
            heard, code = _follow_job(task, say, heard)
            if code is not None:
                return code
            status, _ = answer("logs", task.place, "1", "--status")
            if status == _SUCCEEDED:
                return 0
            if status != _UNFINISHED and (status != _CANNOT_ASK or not _clusters(task.place)):
                raise ExecutorError(
                    f"the job on `{task.place}` was ended there, and could not say its exit code. "
                    f"If it used more memory than was allocated, raise `memory` of "
                    f"[executors.{self._name}]; if it reached the limit of the infrastructure, "
                    f"raise `time_limit`; if the machine was taken away, run again."
                )
            failures = failures + 1 if status == _CANNOT_ASK else 0
            time.sleep(self._pauses[max(failures - 1, 0)])
        raise ExecutorError(
            f"`{task.place}` does not answer, so SkyPilot cannot tell what became of its job: see "
            f"whether the network is up, and run again."
        )

    def destroy(self, place: str) -> None:
        failure: ExecutorError | None = None
        for pause in self._pauses:
            try:
                _cancel_requests(place)
                ask("down", "--yes", place)
                # Once more, for a launch whose client was still on its way to the server.
                if not _cancel_requests(place) and not _clusters(place):
                    return
                failure = ExecutorError(f"SkyPilot still lists `{place}`")
            except ExecutorError as error:
                failure = error
                start_server()  # if it is not there, `down` fails
            time.sleep(pause)
        assert failure is not None, "there is one attempt at least"
        raise failure

    def living(self) -> list[Living]:
        if (prefix := prefix_of(self._folder.parent)) is None:
            return []
        start_server()
        clusters = _clusters(f"{prefix}*")
        costs: dict[str, Any] = {}
        with suppress(ExecutorError):  # it is an estimate
            report = ask_list("cost-report", "--all") if clusters else []
            costs = {str(each.get("name")): each.get("total_cost") for each in report}
        return [_living(cluster, costs) for cluster in clusters]

    def by_hand(self, place: str) -> str:
        return f"sky down --yes {place}; sky status --refresh {place}"

    def _launch(self, task: Task, say: Callable[[str], None]) -> None:
        """Make the cluster, and submit the job. Raises ExecutorError."""
        lines: deque[str] = deque(maxlen=_LINES)

        def take(line: str) -> None:
            if line:
                lines.append(line)
                say(line)

        (task.folder / ".skyignore").touch()  # or the .gitignore of a folder above would count
        secrets = [word for name in task.variables for word in ("--secret", name)]
        with tempfile.TemporaryDirectory(prefix="skypilot-task-") as folder:
            file = Path(folder) / "task.json"  # JSON is YAML
            file.write_text(json.dumps(task_file(task, self._table)), encoding="utf-8")
            words = ("launch", "--yes", "--detach-run", "--cluster", task.place, *secrets)
            code = follow(
                *words,
                str(file),
                take=take,
                seconds=self._table.start_limit,
                variables=task.variables,
            )
        if code:
            text = "\n    ".join(lines)
            late = f" within {duration(self._table.start_limit)}, the `start_limit`"
            raise ExecutorError(
                f"SkyPilot did not make `{task.place}`{late if code < 0 else ''}:\n    {text}"
            )


def _follow_job(task: Task, say: Callable[[str], None], heard: int) -> tuple[int, int | None]:
    """Hand on what the job prints, until it ends or the connection does.

    Args:
        heard: lines of the job that were handed on before.

    Returns how many these are now, and the exit code of the command if the job said it. Raises
    ExecutorError if the command could not even start.
    """
    ended, no_environment = ended_mark(task.place), no_environment_mark(task.place)
    lines: list[str] = []

    def take(line: str) -> None:
        if of_job := _OF_A_JOB.fullmatch(line):
            lines.append(of_job[1])
            if len(lines) > heard and not of_job[1].startswith(ended):
                say(of_job[1])

    follow("logs", task.place, "1", "--tail", "0", take=take, seconds=task.time_limit + _GRACE)
    if no_environment in lines:
        raise ExecutorError(
            f"{no_environment}; the lines before say why. What requirements.txt names has to be "
            f"installable there: from a package index that the machine reaches."
        )
    codes = [int(line.removeprefix(ended)) for line in lines if line.startswith(ended)]
    return max(heard, len(lines)), codes[-1] if codes else None


def _cancel_requests(place: str) -> bool:
    """Cancel what SkyPilot's server does for a place; whether there was anything.

    All requests are listed, for its own filter by name is ignored in the first call of a client.
    """
    active = ask_list("api", "status", "--verbose", "--limit", "all")
    ours = [str(each["request_id"]) for each in active if each.get("cluster_name") == place]
    if ours:
        ask("api", "cancel", "--yes", *ours)
    return bool(ours)


def _clusters(names: str) -> list[dict[str, Any]]:
    """What SkyPilot lists, after it has asked the infrastructure."""
    return ask_list("status", "--refresh", names)


def _living(cluster: Mapping[str, Any], costs: Mapping[str, Any]) -> Living:
    name, moment = str(cluster["name"]), cluster.get("launched_at")
    since = ""
    if isinstance(moment, (int, float)):
        since = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    return Living(name, since, str(cluster.get("status", "")), costs.get(name))
