"""The developer loop: `python3 dev.py COMMAND`, with Python 3.11 or newer and git alone.

Everything that a command needs it installs itself, into build/; nothing else is written to.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
TEMPLATE = ROOT / "{{cookiecutter.__project_slug}}"
PACKAGE = TEMPLATE / "src" / "{{cookiecutter.__package_name}}"
SLUG, BAKED_PACKAGE = "flight-delays", "flight_delays"  # from the default project name
DEV = BUILD / "dev" / SLUG
DEMO = BUILD / "demo" / SLUG
# The processes of a run as on other systems; the rest of the tests does not depend on that.
PORTABLE = [f"tests/runtime/run/test_{name}.py" for name in ("run", "errors", "odd_places")]
DEMO_BUDGET = "600MB"  # the sample as one script needs twice as much, in segments half
UNTYPED = """
[[tool.mypy.overrides]]
module = ["sklearn.*", "skops.*", "threadpoolctl.*"]
ignore_missing_imports = true
"""
CACHES = ("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache")

# The caller's environment stays: certificates, proxies and package indexes are set there.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"} | {
    "PYTHONDONTWRITEBYTECODE": "1",  # the linked template must stay clean
    "UV_COMPILE_BYTECODE": "1",  # or every process would compile pandas anew
    "HYPOTHESIS_STORAGE_DIRECTORY": str(BUILD / "hypothesis"),
    "RUFF_CACHE_DIR": str(BUILD / "ruff"),
}


def run(
    *command: str | Path,
    cwd: Path = ROOT,
    environment: Mapping[str, str] = ENVIRONMENT,
    quiet: bool = False,
) -> None:
    """Print a command, run it, and stop everything with its exit code when it fails.

    With `quiet` its stderr is shown only then.
    """
    words = [str(word) for word in command]
    print("+", *words, *(["  in", cwd.relative_to(ROOT)] if cwd != ROOT else []), flush=True)
    stderr = subprocess.PIPE if quiet else None
    finished = subprocess.run(words, cwd=cwd, env=environment, stderr=stderr, check=False)
    if finished.returncode:
        sys.stderr.buffer.write(finished.stderr or b"")
        sys.exit(finished.returncode)


def scripts(environment: Path) -> Path:
    """Where a virtual environment keeps its programs."""
    return environment / ("Scripts" if os.name == "nt" else "bin")


def uv() -> str:
    """The machine's uv, or one installed into build/uv."""
    found = shutil.which("uv")
    if found and not subprocess.run([found, "--version"], capture_output=True).returncode:
        return found
    own = scripts(BUILD / "uv") / "uv"
    if not own.exists() and not own.with_suffix(".exe").exists():
        try:
            venv.create(BUILD / "uv", with_pip=True, clear=True)
        except subprocess.CalledProcessError:
            sys.exit(
                "Python's venv module is incomplete: install python3-venv, or uv, and try again."
            )
        run(scripts(BUILD / "uv") / "python", "-m", "pip", "install", "--quiet", "uv")
    return str(own)


def cookiecutter_config() -> Path:
    """A configuration that keeps cookiecutter from writing to the home folder."""
    config = BUILD / "cookiecutter.yaml"
    config.parent.mkdir(exist_ok=True)
    folders = {"replay_dir": BUILD / "replay", "cookiecutters_dir": BUILD / "cookiecutters"}
    lines = [f"{key}: {str(folder)!r}\n" for key, folder in folders.items()]
    config.write_text("".join(lines), encoding="utf-8")
    return config


def sweep() -> None:
    """Remove what Python's tools left in the template: cookiecutter would copy it."""
    for cache in [found for name in CACHES for found in TEMPLATE.rglob(name)]:
        shutil.rmtree(cache, ignore_errors=True)


def bake(python: Path) -> None:
    """Bake into build/dev and link its code to the template's: an edit is under test at once."""
    sweep()
    shutil.rmtree(DEV, ignore_errors=True)
    answers = ("--no-input", "--config-file", cookiecutter_config(), "-o", DEV.parent)
    with tempfile.TemporaryDirectory(prefix="hooks-", dir=BUILD) as hooks:  # it leaves them there
        run(
            python,
            "-m",
            "cookiecutter",
            ROOT,
            *answers,
            environment=ENVIRONMENT | {"TMPDIR": hooks},
        )
    links = {
        f"src/{BAKED_PACKAGE}": PACKAGE,
        "tests": TEMPLATE / "tests",
        "scripts": TEMPLATE / "scripts",
    }
    for baked, source in links.items():
        shutil.rmtree(DEV / baked)
        (DEV / baked).symlink_to(source, target_is_directory=True)
    # The segment that trains a model is linked too, though the default answers leave it out.
    with (DEV / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write(UNTYPED)


def dev() -> Path:
    """The linked project and an environment in which it is installed; returns its Python."""
    environment = BUILD / "venv"
    python = scripts(environment) / "python"
    sources = [ROOT / "pyproject.toml", TEMPLATE / "pyproject.toml"]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + sys.version.encode())
    stamp = environment / "installed"
    installed = stamp.exists() and stamp.read_text() == state.hexdigest()
    install = (uv(), "pip", "install", "--quiet", "--python", python)
    if not installed:
        run(uv(), "venv", "--quiet", "--clear", "--python", sys.executable, environment)
        run(*install, "--group", ROOT / "pyproject.toml:dev")
    bake(python)
    if not installed:
        run(*install, "--editable", DEV, "--group", DEV / "pyproject.toml:dev")
        stamp.write_text(state.hexdigest())
    return python


def lint() -> None:
    """Format, rules and types, here, in the baked project and in its runtime; its layers too.

    The project's own settings leave the runtime out, so it is named, with settings from here.
    """
    python = dev()
    code = (f"src/{BAKED_PACKAGE}", "tests", "scripts")
    runtime = ("--config", ROOT / "ruff-runtime.toml", f"src/{BAKED_PACKAGE}/checkpointing")
    for folder, words in ((ROOT, (".",)), (DEV, code), (DEV, runtime)):
        run(python, "-m", "ruff", "format", "--check", *words, cwd=folder)
        run(python, "-m", "ruff", "check", *words, cwd=folder)
    for folder in (ROOT, DEV):  # the first one checks the runtime
        run(python, "-m", "mypy", "--cache-dir", BUILD / f"mypy-{folder.name}", cwd=folder)
    run(python.with_name("lint-imports"), "--no-cache")


def test(
    slow: bool, exhaustive: bool, slurm: bool, coverage: bool, arguments: Sequence[str]
) -> None:
    """The tests of the template and its runtime, then those of the generated project.

    Coverage is that of the default tests, processes that they start included. Tracing makes them
    take half as long again, so it is measured where that is requested, and every night.
    """
    python = dev()
    in_parallel = ("-m", "pytest", "-n", "auto", "--dist", "worksteal")
    examples = ("--hypothesis-profile", "chance" if exhaustive else "same")
    further = "(exhaustive or slow)" if exhaustive else "slow and not exhaustive"
    further += " and not slurm"
    default = "not (slow or exhaustive or soak)"
    on_slurm = "slurm" if exhaustive else "slurm and not exhaustive"
    if slurm:
        run(python, "-m", "pytest", "-m", on_slurm, *arguments)
        return
    if arguments:  # a choice of tests says nothing about coverage
        chosen = f"{further} or ({default})" if slow or exhaustive else default
        run(python, *in_parallel, *examples, "-m", chosen, *arguments)
        return
    is_measured = coverage or exhaustive
    shutil.rmtree(BUILD / "coverage", ignore_errors=True)
    (BUILD / "coverage").mkdir()
    environment = measured() if is_measured else ENVIRONMENT
    run(python, *in_parallel, *examples, "-m", default, environment=environment)
    run(python, *in_parallel, "-p", "no:cacheprovider", cwd=DEV)
    if is_measured:
        run(python, "-m", "coverage", "combine", "--quiet")
        run(python, "-m", "coverage", "report")
    if slow or exhaustive:
        run(python, *in_parallel, *examples, "-m", further)
        elsewhere = ENVIRONMENT | {"CHECKPOINTING_PORTABLE": "1"}
        files, chosen = PORTABLE[:2], default
        if exhaustive:
            files, chosen = PORTABLE, f"{further} or ({default})"
        run(python, *in_parallel, "-m", chosen, *files, environment=elsewhere)
        run(python, "-m", "pytest", "-m", on_slurm)  # one Slurm, so one process


def measured() -> dict[str, str]:
    """The environment in which every Python process measures coverage; see tests/measuring."""
    places = [str(ROOT / "tests" / "measuring"), os.environ.get("PYTHONPATH", "")]
    return ENVIRONMENT | {
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "MEASURED_BY": str(ROOT / "pyproject.toml"),
        "MEASURED_INTO": str(BUILD / "coverage" / "data"),
    }


def soak(short: bool, arguments: Sequence[str]) -> None:
    """Kills, damage, interrupts, edits and hostile answers by chance, in hundreds of rounds.

    It prints how many rounds of each there were, the failures, and the seed of its random numbers:
    with the same SOAK_SEED in the environment they are the same.
    """
    length = () if short else ("--long",)
    in_parallel = ("-n", "auto", "--dist", "worksteal")
    run(dev(), "-m", "pytest", "tests/soak", *in_parallel, "-m", "soak", *length, *arguments)


def demo() -> None:
    """The same 20 steps as one script, which a budget stops, and in segments, which complete.

    The project is generated with the default answers. The next time it is there, with its
    checkpoints: everything is reused.
    """
    if not DEMO.exists():
        sweep()
        [cookiecutter] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][
            "generate"
        ]
        answers = ("--no-input", "--config-file", cookiecutter_config(), "-o", DEMO.parent)
        run(uv(), "tool", "run", "--from", cookiecutter, "cookiecutter", ROOT, *answers)
    pipeline = (uv(), "run", "--quiet", SLUG)
    if not (DEMO / "data" / "out").exists():
        run(uv(), "sync", "--quiet", cwd=DEMO)
        print(f"\n1. The steps as one script and in segments, with {DEMO_BUDGET} of memory\n")
        budget = ("--budget", DEMO_BUDGET, "--limit", DEMO_BUDGET)
        run(*pipeline, "compare", *budget, cwd=DEMO, quiet=True)
    print("\n2. The pipeline, in segments\n")
    run(*pipeline, "run", "--budget", DEMO_BUDGET, cwd=DEMO)
    print("\n3. What to look at: the memory of this run, and what the pipeline found\n")
    run(*pipeline, "report", cwd=DEMO)
    print(DEMO / "data" / "out" / "report.md")
    print(
        f"\nNext: `python3 dev.py demo` again, and everything is reused. Or `cd {DEMO}`:\n"
        f"docs/onboarding.md there shows the rest in an hour. `python3 dev.py clean` removes it."
    )


def bench(arguments: Sequence[str]) -> None:
    """The benchmarks behind every figure in the documentation."""
    python = dev()
    run(python, ROOT / "benchmarks" / "run.py", *arguments)


def docs() -> None:
    """The documentation as a site, in build/site; a warning is an error."""
    run(dev(), "-m", "docs.site", BUILD / "docs", BUILD / "site")


def clean() -> None:
    """Remove build/, and caches from the template."""
    sweep()
    shutil.rmtree(BUILD, ignore_errors=True)


def main() -> None:
    """Run the command that was typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, dev, lint, test, soak, bench, docs, clean):
        purpose = str(command.__doc__).splitlines()[0]
        commands.add_parser(command.__name__, help=purpose, description=purpose)
    more = "further arguments go to pytest, such as a file or -k WORD"
    tests = commands.choices["test"]
    tests.epilog = more
    tests.add_argument("--slow", action="store_true", help="all that holds before a merge")
    tests.add_argument("--exhaustive", action="store_true", help="every case, for nightly runs")
    tests.add_argument("--slurm", action="store_true", help="SkyPilot on a Slurm here, alone")
    tests.add_argument("--coverage", action="store_true", help="of the runtime, at least 95 %%")
    soaks = commands.choices["soak"]
    soaks.epilog = more
    soaks.add_argument("--short", action="store_true", help="some rounds of each, in minutes")
    chosen, arguments = parser.parse_known_args()
    match chosen.command:
        case "test":
            test(chosen.slow, chosen.exhaustive, chosen.slurm, chosen.coverage, arguments)
        case "soak":
            soak(chosen.short, arguments)
        case "bench":
            bench(arguments)
        case _ if arguments:
            parser.error(f"unknown arguments: {' '.join(arguments)}")
        case "demo":
            demo()
        case "dev":
            dev()
        case "lint":
            lint()
        case "docs":
            docs()
        case "clean":
            clean()


if __name__ == "__main__":
    main()
