"""Environment variables as parameters: they count in keys, and no secret is kept anywhere."""

from __future__ import annotations

import json

import pytest

from ...marks import in_exhaustive, in_slow
from ..conftest import Project

SECRET = "open'se\\same/7é"  # quotes, a backslash and a letter that programs write in other ways
URL_FORM = "open%27se%5Csame"
WIRING = """
[env]
region = "REGION"
limit = { variable = "LIMIT", default = 10 }
password = { variable = "DB_PASSWORD", secret = true }
"""
STEPS = """
@step
def table(region: str, limit: int) -> dict[str, int]:
    ran("table")
    return {region: limit}
"""
SINK = """
@step
def sent(table: dict[str, int], password: str) -> None:
    ran("sent")
    assert password == PASSWORD
"""


def wired(project: Project, sink: str = SINK) -> Project:
    project.segments(s01=STEPS, s02=f"PASSWORD = {SECRET!r}\n{sink}")
    project.write("pipeline.toml", WIRING)
    return project


@pytest.mark.slow
def test_a_step_takes_variables_and_a_changed_one_runs_it_again_but_a_changed_secret_does_not(
    project: Project,
) -> None:
    wired(project, SINK.replace("    assert password == PASSWORD\n", ""))
    first = {"REGION": "eu", "DB_PASSWORD": SECRET}
    assert project.run(**first)["exit_code"] == 0
    assert project.load("table") == "{'eu': 10}"
    assert project.executed() == ["table", "sent"]

    assert project.run(**first | {"DB_PASSWORD": "another one"})["exit_code"] == 0
    assert project.run(REGION="eu")["exit_code"] == 0, "what is reused needs no secret"
    assert project.executed() == []

    status = project.command("status", REGION="us", LIMIT="0012")
    assert "env region changed from 'eu' to 'us'" in " ".join(status.stdout.split())
    assert "env limit changed from 10 to 12" in " ".join(status.stdout.split())
    assert project.run("--set", "region=us", **first)["exit_code"] == 0
    assert project.load("table") == "{'us': 10}"


def test_all_missing_variables_are_named_at_once_before_anything_runs(project: Project) -> None:
    wired(project)
    record = project.run(DB_PASSWORD="")
    assert (record["exit_code"], record["error"]["kind"]) == (2, "configuration")
    message = record["error"]["message"]
    assert "REGION: [env] `region` of step `table`" in message
    assert "DB_PASSWORD: [env] `password` of step `sent`, a secret" in message
    assert "LIMIT" not in message

    alone = project.run(REGION="eu")
    assert "DB_PASSWORD" in alone["error"]["message"]
    assert project.executed() == [], "the first segment has not run either"
    assert project.run("--only", "s01", REGION="eu")["exit_code"] == 0


def test_a_secret_is_refused_on_the_command_line_and_not_repeated_by_the_refusal(
    project: Project,
) -> None:
    wired(project)
    done = project.command("run", "--set", "password=hunter2hunter2", REGION="eu")
    assert done.returncode == 2
    assert "Set the variable DB_PASSWORD instead" in " ".join(done.stderr.split())
    assert "hunter2" not in done.stdout + done.stderr


def test_a_value_that_the_annotation_does_not_fit_is_refused_by_name(project: Project) -> None:
    wired(project)
    record = project.run(REGION="eu", LIMIT="many", DB_PASSWORD=SECRET)
    message = record["error"]["message"]
    assert "env `limit` (variable LIMIT) is 'many'" in message
    assert "a whole number, such as 10" in message


@pytest.mark.parametrize(
    "ending",
    [
        "raise ConnectionError('postgres://me:' + urllib.parse.quote(password, safe='') + '@db')",
        "os._exit(3)",
        *in_slow(
            "raise ExceptionGroup('several', [ValueError(password), ValueError('x' * 100_000)])",
            "return pd.DataFrame({password: [object()]})",
        ),
        *in_exhaustive(
            "raise ValueError(f'no access with {password}')",
            "raise KeyError(password)",
            "raise RuntimeError(json.dumps({'password': password}))",
        ),
    ],
)
def test_no_file_and_no_message_has_a_secret_that_a_step_prints_and_raises(
    project: Project, ending: str
) -> None:
    sink = f"""
import json, logging, os, subprocess, sys, urllib.parse

@step
def sent(table: dict[str, int], password: str) -> pd.DataFrame:
    assert password == PASSWORD[::1]
    print("printed", password, {{"password": password}}, flush=True)
    logging.warning("logged %r", password)
    sys.stdout.flush()
    os.write(1, password.encode())
    subprocess.run(["printenv", "DB_PASSWORD"], check=True)
    {ending}
"""
    wired(project, sink)
    source = project.folder / "src/demo/segments/s02.py"
    text = source.read_text()
    turned = text.replace(f"PASSWORD = {SECRET!r}", f"PASSWORD = {SECRET[::-1]!r}[::-1]")
    source.write_text(turned)
    done = project.command("run", REGION="eu", DB_PASSWORD=SECRET)
    assert done.returncode in (1, 5), done.stderr
    again = project.command("run", "--json", REGION="eu", DB_PASSWORD=SECRET)
    failure = json.loads(again.stdout)["error"]
    assert failure["step"] == "sent"
    assert "***" in json.dumps(failure)
    report = project.command("report", "--markdown", REGION="eu", DB_PASSWORD=SECRET)
    compared = project.command("compare", REGION="eu", DB_PASSWORD=SECRET)
    for command in (done, again, report, compared):
        assert_without_secret((command.stdout + command.stderr).encode(), "a command's output")
    for path in project.folder.rglob("*"):
        if path.is_file():
            assert_without_secret(path.read_bytes(), str(path))
    logs = [log.read_text("utf-8", errors="replace") for log in project.folder.rglob("*.log")]
    assert all("printed *** {" in log for log in logs), "masked before it was written"


def test_the_keys_of_shared_storage_are_secret_though_no_setting_names_them(
    project: Project,
) -> None:
    project.segments(
        s01="""
        import os

        @step
        def failing() -> int:
            key = os.environ["AWS_SECRET_ACCESS_KEY"]
            print("printed", key, flush=True)
            os.write(1, key.encode())
            raise OSError(f"no access with {key}")
        """
    )
    done = project.command("run", "--json", AWS_SECRET_ACCESS_KEY=SECRET)
    assert "no access with ***" in json.loads(done.stdout)["error"]["message"]
    assert_without_secret((done.stdout + done.stderr).encode(), "the command's output")
    for path in project.folder.rglob("*.log"):
        assert_without_secret(path.read_bytes(), str(path))
        assert "printed ***" in path.read_text("utf-8", errors="replace")


def assert_without_secret(content: bytes, where: str) -> None:
    for form in (SECRET, repr(SECRET)[1:-1], json.dumps(SECRET)[1:-1], URL_FORM):
        assert form.encode() not in content, where
