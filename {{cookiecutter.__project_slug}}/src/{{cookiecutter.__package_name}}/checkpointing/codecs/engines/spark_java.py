"""The Java that Spark runs on: where it is, and whether it is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from ...base.errors import ConfigurationError

OLDEST = 17  # that Spark 4 runs on
_SECONDS = 60.0
_VERSION = re.compile(r'version "(\d+)')
_REMEDY = (
    f"Install a JDK or JRE of version {OLDEST} or newer (Debian: `apt install "
    f"openjdk-{OLDEST}-jre-headless`) and put `java` on the PATH, or its folder into JAVA_HOME."
)


def require_java() -> int:
    """The version of the Java that Spark would start. Raises ConfigurationError, in one line."""
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else "java"
    if (path := shutil.which(java)) is None:
        where = f"JAVA_HOME is {home}, which has none" if home else "there is none on the PATH"
        raise ConfigurationError(f"Spark needs Java, and {where}. {_REMEDY}")
    try:
        said = subprocess.run(
            [path, "-version"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(
            f"Spark needs Java, and {path} fails: {error}. {_REMEDY}"
        ) from None
    match = _VERSION.search(said.stderr + said.stdout)
    version = int(match[1]) if match else 0
    if version < OLDEST:
        known = f"is Java {version}" if version > 1 else "does not tell its version, or is Java 8"
        raise ConfigurationError(
            f"Spark needs Java {OLDEST} or newer, and {path} {known}. {_REMEDY}"
        )
    return version
