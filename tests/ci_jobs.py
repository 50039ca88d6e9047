"""The jobs of a project's CI, read from its files and performed as the hosts' runners do."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .conftest import Project

FILES = {"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml"}
_AFTER = re.compile(r"!cancelled\(\) && steps\.(\w+)\.outcome != 'skipped'")


@dataclass(frozen=True)
class Script:
    """What one shell runs; with `after`, once that script was started, whatever came of it."""

    text: str
    name: str = ""
    after: str = ""


@dataclass(frozen=True)
class Job:
    """One job: its scripts in their order, and the files that it leaves for people to see."""

    scripts: tuple[Script, ...]
    environment: Mapping[str, str]
    published: tuple[str, ...]

    def lines(self) -> list[str]:
        """Every command that the job runs."""
        return [line for script in self.scripts for line in script.text.splitlines()]

    def perform(self, folder: Path, environment: Mapping[str, str]) -> Performed:
        """Run the scripts in `folder`; nothing is inherited but `environment`."""
        done: list[tuple[Script, subprocess.CompletedProcess[str]]] = []
        for script in self.scripts:
            started = {earlier.name for earlier, _ in done}
            failed = any(result.returncode for _, result in done)
            if script.after not in started if script.after else failed:
                continue
            result = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script.text],
                cwd=folder,
                env={**environment, **self.environment},
                capture_output=True,
                text=True,
                check=False,
            )
            done.append((script, result))
        return Performed(tuple(done))


@dataclass(frozen=True)
class Performed:
    """The scripts that were run, each with what came of it."""

    scripts: tuple[tuple[Script, subprocess.CompletedProcess[str]], ...]

    @property
    def failures(self) -> list[tuple[str, int]]:
        """The last line of each script that failed, with its exit code."""
        return [
            (script.text.splitlines()[-1], result.returncode)
            for script, result in self.scripts
            if result.returncode
        ]

    @property
    def log(self) -> str:
        """What a person who opens the job sees."""
        return "\n".join(
            f"$ {script.text}\n{result.stdout}{result.stderr}" for script, result in self.scripts
        )


def jobs(project: Project, ci: str) -> dict[str, Job]:
    """The jobs of one host's file, by name."""
    content = yaml.safe_load(project.text(FILES[ci]))
    return dict(_of_github(content) if ci == "github" else _of_gitlab(content))


def _of_github(workflow: dict[str, Any]) -> Iterator[tuple[str, Job]]:
    for name, job in workflow["jobs"].items():
        scripts, published = [], []
        for step in job["steps"]:
            condition = _AFTER.fullmatch(step.get("if", ""))
            assert condition or "if" not in step, "no other condition is known here"
            if "run" in step:
                after = condition[1] if condition else ""
                scripts.append(Script(step["run"].strip(), step.get("id", ""), after))
            elif step["uses"].startswith("actions/upload-artifact@"):
                published.append(step["with"]["path"])
        yield name, Job(tuple(scripts), job.get("env", {}), tuple(published))


def _of_gitlab(content: dict[str, Any]) -> Iterator[tuple[str, Job]]:
    default, variables = content["default"], content["variables"]
    for name, job in content.items():
        if "script" not in job:
            continue
        main = Script("\n".join(default["before_script"] + job["script"]), "script")
        last = job.get("after_script", [])
        scripts = (main, Script("\n".join(last), after="script")) if last else (main,)
        artifacts = job["artifacts"]
        published = (*artifacts.get("paths", ()), *artifacts.get("reports", {}).values())
        yield name, Job(scripts, {**variables, **job.get("variables", {})}, published)
