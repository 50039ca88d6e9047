"""Before any file is written: refuse answers that cannot make a working project, all at once."""

import difflib
import json
import keyword
import os
import re
import shlex
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

RULES = {  # question: the form of a right answer, the form in words, an example
    "project_name": (".+", "text", "Flight Delays"),
    "description": (".+", "text", "A batch pipeline"),
    "author": (".+", "text", "Data Engineering"),
    "license": ("MIT|BSD-3-Clause|Apache-2.0|Proprietary", "", "MIT"),
    "cluster_ram_gb": (r"(?=.*[1-9])\d{1,9}(\.\d{1,6})?", "a plain number above 0", "5000"),
    "quota_percent": (r"(?=.*[1-9])\d\d?(\.\d{1,6})?|100", "a number above 0, up to 100", "2"),
    "max_steps": (r"[5-9]|[1-9]\d{1,3}", "a whole number from 5 (as in the sample) to 9999", "10"),
    "ci": ("github|gitlab|none", "", "github"),
    "language": ("en|es", "", "en"),
    "engine": ("pandas|polars|duckdb|spark", "", "pandas"),
    "training": ("off|local|skypilot", "", "off"),
}
SMALLEST_GB = {"Python": 0.5, "Spark": 2}  # processes and JVM hold half of it before any data
FLAGS = {"--no-input", "-f", "--overwrite-if-exists", "--default-config"}  # they take no value
TAKEN = """activate altair annotated_doc annotated_types ast_serialize attr attrs cfgv click
    colorama conftest dateutil distlib duckdb filelock identify iniconfig jinja2 joblib jsonschema
    jsonschema_specifications librt markdown_it markdown_it_py markupsafe mdurl mypy mypy_extensions
    mypyc narwhals nodeenv numpy obstore packaging pandas pandas_stubs pathspec pip platformdirs
    pluggy polars polars_runtime_32 pre_commit prettytable psutil py4j pyarrow pydantic
    pydantic_core pygments pyspark pytest python python3 python_dateutil python_discovery pyyaml
    referencing rich rpds rpds_py ruff scikit_learn scipy setuptools shellingham six sklearn skops
    src test tests threadpoolctl typer types_psutil typing_extensions typing_inspection tzdata uv
    virtualenv vl_convert vl_convert_python wcwidth wheel xxhash yaml"""


def form_rule(key: str, value: str) -> str:
    """The rule of form that an answer breaks; empty when it breaks none."""
    form, said, _ = RULES[key]
    kinds = {unicodedata.category(c) for c in value if c not in "\u200c\u200d"}  # these join emoji
    if not value.strip() or len(value) > 200 or kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return "must be one line of 1 to 200 characters, none of them invisible"
    return "" if re.fullmatch(form, value, re.A) else f"must be {said or form.replace('|', ' or ')}"


def name_rule(slug: str, package: str) -> str:
    """The rule that the names made from project_name break."""
    if slug == "_":
        return "must hold a letter or a digit that can be spelt in ASCII"
    if len(slug) > 60:
        return "must be shorter: it names a folder of at most 60 characters"
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or package != slug.replace("-", "_"):
        return "alone makes the names: leave out __project_slug and __package_name"
    if slug[0].isdigit() or keyword.iskeyword(package):
        return f"must make a name that Python can import, and {package} is none"
    hides = package in {*sys.stdlib_module_names, *TAKEN.split()}
    return f"must not hide Python's or the project's own tools, as {package} would" if hides else ""


def broken_rules(answers: dict[str, str]) -> dict[str, str]:
    """The rule that each wrong answer breaks, by its key."""
    broken = {key: rule for key in RULES if (rule := form_rule(key, answers[key]))}
    if name := name_rule(answers["__project_slug"], answers["__package_name"]):
        broken.setdefault("project_name", name)
    sizes = ("cluster_ram_gb", "quota_percent")
    ram, quota = (float(RULES[key][2] if key in broken else answers[key]) for key in sizes)
    tool = "Spark" if answers["engine"] == "spark" else "Python"
    rule = f"makes a budget below the {SMALLEST_GB[tool]} GB that {tool} needs to start in"
    return (dict.fromkeys(sizes, rule) if ram * quota / 100 < SMALLEST_GB[tool] else {}) | broken


def unknown_keys(words: list[str], answers: dict[str, str]) -> list[str]:
    """What a cookiecutter command answers that is no question: cookiecutter itself is silent."""
    is_typed = "cookiecutter" in [Path(word).stem for word in words[:3]]
    said = [word for last, word in pairwise(words) if last[:1] != "-" or last in FLAGS]
    keys = [word.split("=")[0] for word in said if "=" in word and word != answers["_template"]]
    return [key for key in keys if is_typed and key.isidentifier() and key not in answers]


def main(answers: dict[str, str], words: list[str]) -> str:
    broken = broken_rules(answers)
    lines = [f"{key} {rule}; it was {answers[key]!a:.80}" for key, rule in broken.items()]
    for key in unknown_keys(words, answers):
        near = difflib.get_close_matches(key, RULES, 1, 0.5) or RULES
        lines.append(f"{key} is not a question; nearest: {', '.join(near)}")
    right = [f"{key}={RULES[key][2] if key in broken else answers[key]}" for key in RULES]
    command = shlex.join(["cookiecutter", answers["_template"], *right])
    message = ["No project was generated.", *lines, "Corrected:", f"  {command}"]
    return "\n  ".join(message) if lines else ""


if __name__ == "__main__":
    ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
    CALLER = Path(f"/proc/{os.getppid()}/cmdline")  # on Linux; elsewhere unknown keys go unseen
    WORDS = CALLER.read_bytes().decode(errors="replace").split("\0") if CALLER.exists() else []
    sys.exit(main({key: str(value) for key, value in ANSWERS.items()}, WORDS) or 0)
