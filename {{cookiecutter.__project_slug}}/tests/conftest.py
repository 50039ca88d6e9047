"""What every test may ask for: the project's package, and each segment's module.

The project's tests find the package instead of naming it: it is the one folder under src/ with a
pipeline.py. A test names the segment it is about, and calls its steps as the plain functions that
they are:

    def test_a_missing_delay_is_a_cancelled_flight(clean: ModuleType) -> None:
        assert clean.departed(flights).empty

Where the package's name is known, `from my_package.segments import s02_clean` does as well.
"""

from importlib import import_module
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def package(pytestconfig: pytest.Config) -> str:
    """The name of the project's package."""
    [pipeline] = pytestconfig.rootpath.glob("src/*/pipeline.py")
    return pipeline.parent.name


@pytest.fixture(scope="session")
def ingest(package: str) -> ModuleType:
    """Segment 1."""
    return import_module(f"{package}.segments.s01_ingest")


@pytest.fixture(scope="session")
def clean(package: str) -> ModuleType:
    """Segment 2."""
    return import_module(f"{package}.segments.s02_clean")


@pytest.fixture(scope="session")
def enrich(package: str) -> ModuleType:
    """Segment 3."""
    return import_module(f"{package}.segments.s03_enrich")


@pytest.fixture(scope="session")
def report(package: str) -> ModuleType:
    """Segment 4."""
    return import_module(f"{package}.segments.s04_report")
