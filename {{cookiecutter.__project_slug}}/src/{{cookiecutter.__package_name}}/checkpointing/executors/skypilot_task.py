"""What SkyPilot is asked for: the task file of one task, as pure functions of its settings.

The limit on the life of the infrastructure is in here twice, beside the `timeout` of the command:
SkyPilot's own timer on it, which starts when the infrastructure is ready, and a cap of Slurm or
Kubernetes, which starts when the machine is allocated and needs nothing that runs there. On
virtual machines of a cloud SkyPilot can set no such cap.
"""

from __future__ import annotations

import math
import shlex
import sys
from typing import Any

from ..base.elsewhere import ExecutorTable
from .interface import Task

_GB = 10**9
_MADE_TO_MEASURE = ("slurm", "kubernetes", "k8s", "ssh")
_RUNTIME_GB = 1  # that SkyPilot's own processes need, where the memory is made to measure
_MAKING_SECONDS = 900  # between the allocation of a machine and the start of SkyPilot's timer
_TIMEOUT_GRACE = 30  # seconds between SIGTERM and SIGKILL

# In `run` and not in `setup`, because the timer starts after that. SkyPilot brings uv; else PyPI
# has it; else there has to be the right Python.
_SCRIPT = """\
export PATH="$HOME/.local/bin:$PATH" PYTHONPATH="$PWD/src"
environment() {{
  if command -v uv >/dev/null || python3 -m pip install --quiet --user uv; then
    uv venv --quiet --python {python} environment &&
      uv pip install --quiet --python environment/bin/python --requirement requirements.txt
  else
    python{python} -m venv environment &&
      environment/bin/python -m pip install --quiet --requirement requirements.txt
  fi
}}
environment || {{ echo {no_environment}; exit 1; }}
left=$(({seconds} - SECONDS))
timeout --kill-after={grace} "$((left > 1 ? left : 1))" {command}
code=$?
echo {ended}"$code"
exit "$code"
"""


def task_file(task: Task, table: ExecutorTable) -> dict[str, Any]:
    """The content of the YAML that SkyPilot launches; it has no variable of the task in it."""
    seconds = math.ceil(task.time_limit)
    cap = seconds + _MAKING_SECONDS
    pod = {"pod_config": {"spec": {"activeDeadlineSeconds": cap}}}
    return {
        "name": task.place,
        "workdir": str(task.folder),
        "resources": resources(table)
        | {
            "autostop": {
                "idle_minutes": math.ceil(seconds / 60) + 1,  # `timeout` comes first
                "down": True,
                "wait_for": "none",  # it does not matter what runs
            }
        },
        "config": {
            "slurm": {"sbatch_options": {"time": math.ceil(cap / 60)}},
            "kubernetes": pod,
            "ssh": pod,
        },
        "run": _script(task, seconds),
    }


def resources(table: ExecutorTable) -> dict[str, Any]:
    """What SkyPilot has to find: exactly as much on a cluster, the next larger machine elsewhere.

    On a cluster SkyPilot's own processes count too, so there is a little more.
    """
    gigabytes = math.ceil(table.memory / _GB)
    if table.infra.partition("/")[0].lower() in _MADE_TO_MEASURE:
        gigabytes += _RUNTIME_GB
    wanted = {"infra": table.infra, "cpus": table.cpus, "accelerators": table.accelerators}
    named = {name: value for name, value in wanted.items() if value}
    return {**table.resources, "memory": f"{gigabytes}+", **named}


def ended_mark(place: str) -> str:
    """How the line begins that says the exit code of the command."""
    return f"[{place}] the command ended with exit code "


def no_environment_mark(place: str) -> str:
    """The line that says that the packages could not be installed."""
    return f"[{place}] the packages of the project could not be installed"


def _script(task: Task, seconds: int) -> str:
    program, *arguments = task.command
    if program == "python":
        program = "environment/bin/python"
    return _SCRIPT.format(
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        no_environment=shlex.quote(no_environment_mark(task.place)),
        grace=_TIMEOUT_GRACE,
        seconds=seconds,
        command=shlex.join([program, *arguments]),
        ended=shlex.quote(ended_mark(task.place)),
    )
