"""A child that a step forks ends where the step does: only the worker sends, commits, cleans up."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from ...marks import one_in
from ..conftest import Project, until

CODES = {
    "returns": 0,
    "raises": 1,
    "exits": 0,
    "exits with 3": 3,
    "exits with a message": 1,
    "exits at once": 4,
    "is interrupted": 1,
}
WAYS = {
    "returns": "return 2",
    "raises": "raise ValueError('of the child')",
    "exits": "sys.exit()",
    "exits with 3": "sys.exit(3)",
    "exits with a message": "sys.exit('the child gives up')",
    "exits at once": "os._exit(4)",
    "is interrupted": "raise KeyboardInterrupt",
}
EACH_WAY = "\n".join(f"        if way == {way!r}:\n            {WAYS[way]}" for way in WAYS)

# A step that has a child for each way to end, and notes their exit codes.
WAITING_FOR_EACH = f"""
codes = {{}}
for way in {list(WAYS)}:
    if (pid := os.fork()) == 0:
{EACH_WAY}
    codes[way] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
note("codes", codes)
return 1
"""

# Other steps with two children, of which one returns and one raises.
PLACES = {
    "the step returns before them": """
for way in ("returns", "raises"):
    if os.fork() == 0:
        while not Path("seen.json").exists():
            time.sleep(0.01)
        if way == "raises":
            raise ValueError
        return 2
return 1
""",
    "each of them has a child itself": """
for way in ("returns", "raises"):
    if (pid := os.fork()) == 0:
        os.fork()
        if way == "raises":
            raise ValueError
        return 2
    os.waitpid(pid, 0)
return 1
""",
    "threads run beside them": """
over = threading.Event()
threads = [threading.Thread(target=over.wait) for _ in range(3)]
for thread in threads:
    thread.start()
for way in ("returns", "raises"):
    if (pid := os.fork()) == 0:
        if way == "raises":
            raise ValueError
        return 2
    os.waitpid(pid, 0)
over.set()
return 1
""",
}

STEPS = """
import json, os, sys, threading, time

def note(name: str, what: object) -> None:
    Path(f"{{name}}.json").write_text(json.dumps(what))

@step
def table() -> pd.DataFrame:
    return pd.DataFrame({{"x": range(1000)}})

@step
def a(table: pd.DataFrame) -> int:
    note("worker", os.getpid())
    {body}

@step
def b(a: int, table: pd.DataFrame) -> int:
    note("seen", [a, os.getpid()])
    time.sleep({pause})
    return a + len(table)
"""


def with_step(project: Project, body: str, pause: float = 0.0) -> Project:
    """Give a project a segment whose step `a` has this body, and one that reads its value."""
    source = STEPS.format(body=indent(dedent(body).strip(), " " * 4).lstrip(), pause=pause)
    project.segments(s01=source)
    project.write("pipeline.toml", "[outputs]\nb = 'data/b.json'\n")
    return project


def noted(project: Project, name: str) -> Any:
    return json.loads((project.folder / f"{name}.json").read_text())


def check_untouched(project: Project) -> None:
    """The run goes as if no child had been there."""
    record = project.run()
    assert record["exit_code"] == 0, record
    assert [(s["status"], s["parts"]) for s in record["segments"]] == [("ran", 1)]
    assert noted(project, "seen") == [1, noted(project, "worker")]
    assert (project.folder / "data" / "b.json").read_text() == "1001"
    until(lambda: not project.processes(), "the end of all processes")
    assert project.strays() == []


def test_a_child_ends_as_a_forked_process_does_and_the_step_sees_how(project: Project) -> None:
    check_untouched(with_step(project, WAITING_FOR_EACH))
    assert noted(project, "codes") == CODES
    [log] = (project.folder / "runs").glob("*/run.log")
    told = log.read_text()
    assert "ValueError: of the child" in told
    assert "the child gives up" in told
    assert "checkpointing" not in told  # a traceback has the step's own frames
    assert project.statuses() == {"s01": "reused"}


@pytest.mark.parametrize("place", one_in(3, PLACES))
def test_a_child_does_not_speak_for_the_worker(project: Project, place: str) -> None:
    pause = 0.5 if "before" in place else 0.0  # in which the children come to their ends
    check_untouched(with_step(project, PLACES[place], pause))


def test_what_multiprocessing_forks_works_as_ever(project: Project) -> None:
    body = """
    import multiprocessing
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    results = context.Queue()
    process = context.Process(target=lambda: results.put(sys.exit(0)))
    process.start()
    process.join()
    assert process.exitcode == 0
    context.Process(target=time.sleep, args=(60,)).start()  # it is left behind
    return 1
    """
    check_untouched(with_step(project, body))


def test_a_thread_may_fork_too(project: Project) -> None:
    body = """
    from concurrent.futures import ThreadPoolExecutor
    plain = threading.Thread(target=os.fork)
    plain.start()
    plain.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(os.fork).result()
    return 1
    """
    check_untouched(with_step(project, body))


def test_a_process_that_is_started_runs_what_it_is_told_to_before_that(project: Project) -> None:
    body = """
    import subprocess
    done = subprocess.run(["pwd"], preexec_fn=lambda: os.chdir("/"), capture_output=True)
    assert done.stdout == b"/\\n"
    return 1
    """
    check_untouched(with_step(project, body))


def test_a_child_that_left_its_worker_ends_with_the_part(project: Project) -> None:
    """Nobody finds it below the worker any more, for the process between them is gone."""
    body = """
    if os.fork() == 0:
        if os.fork():
            os._exit(0)
        os.setsid()
        Path("waits.txt").touch()
        time.sleep(600)
        return 2
    os.wait()
    while not Path("waits.txt").exists():
        time.sleep(0.01)
    return 1
    """
    check_untouched(with_step(project, body))
    assert project.processes() == []


def test_a_child_holds_no_lock_when_its_worker_is_killed(project: Project) -> None:
    body = """
    if not Path("struck.txt").exists():
        Path("struck.txt").touch()
        if os.fork() == 0:
            time.sleep(60)
        os.kill(os.getpid(), 9)
    return 1
    """
    with_step(project, body)
    record = project.run()
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    assert record["exit_code"] == 0, record
    assert [cut["before"] for cut in record["segments"][0]["cuts"]] == ["a"]


def test_a_child_that_an_import_forks_is_none_of_the_pipeline(project: Project) -> None:
    project.segments(
        s01="""
        import os
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)

        @step
        def a() -> int:
            return 2 if pid == 0 else 1
        """
    )
    assert project.run()["exit_code"] == 0
    assert project.command("show", "a").stdout == "a: int\n1\n"
    assert project.strays() == []


def test_the_child_of_a_codec_ends_in_it(project: Project) -> None:
    project.write(
        "src/demo/money.py",
        """
        import os
        from dataclasses import dataclass

        @dataclass
        class Money:
            cents: int

        def freeze(money):
            if (pid := os.fork()) == 0:
                return b"0"
            os.waitpid(pid, 0)
            return str(money.cents).encode()

        def thaw(data):
            if (pid := os.fork()) == 0:
                return Money(0)
            os.waitpid(pid, 0)
            return Money(int(data))
        """,
    )
    project.write(
        "src/demo/adapters.py",
        """
        from .checkpointing.codecs import Codec, register
        from .money import freeze, thaw

        register(Codec("Money", "demo.money.Money", "json", freeze=freeze, thaw=thaw))
        """,
    )
    project.segments(
        s01="""
        from ..money import Money

        @step
        def price() -> Money:
            return Money(5)
        """,
        s02="""
        from ..money import Money

        @step
        def paid(price: Money) -> int:
            return price.cents
        """,
    )
    record = project.run()
    assert record["exit_code"] == 0, record
    assert Path(record["outputs"]["paid"]).read_text() == "5"
    assert project.strays() == []


def test_a_child_does_not_speak_for_the_plain_script_either(project: Project) -> None:
    with_step(project, WAITING_FOR_EACH)
    done = project.command("compare", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["plain"]["status"] == "ran"
    assert found["same_results"] == {"b": True}
    assert noted(project, "codes") == CODES
