"""What a step leaves in the session of Spark, and how it is removed: a later step finds no trace.

Else a result would depend on where a segment is cut, because each part has a session of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_DEFAULT = "default"
_CATALOG = "spark_catalog"


def remove(session: Any, settings: Mapping[str, str]) -> None:
    """Remove what a step has kept, named and set in a session.

    Args:
        settings: those of the session before the step.

    Files that the step has written outside of the session's own folder stay where they are.
    """
    for query in session.streams.active:
        query.stop()
    session.catalog.clearCache()
    if hasattr(session, "sparkContext") and not _is_remote(session):
        _remove_in_jvm(session)
    else:
        _remove_in_server(session)
    now = dict(session.conf.getAll)
    for name in now.keys() - settings.keys():
        session.conf.unset(name)
    for name, value in settings.items():
        if now.get(name) != value and session.conf.isModifiable(name):
            session.conf.set(name, value)


def _is_remote(session: Any) -> bool:
    return type(session).__module__.startswith("pyspark.sql.connect")


def _remove_in_jvm(session: Any) -> None:
    """Remove it from an application of this part alone, whose catalog is in memory."""
    for stored in session.sparkContext._jsc.getPersistentRDDs().values():
        stored.unpersist()
    state = session._jsparkSession.sessionState()
    catalogs = state.catalogManager()
    catalogs.reset()
    catalogs.tempVariableManager().clear()
    catalog = state.catalog()
    for name in _names(catalog.listDatabases()):
        if name != _DEFAULT:
            _keep_files(session, catalog, name)
    catalog.reset()


def _keep_files(session: Any, catalog: Any, name: str) -> None:
    """Let a database go without a folder that a step has named for it, which has other files."""
    warehouse = _path(session.conf.get("spark.sql.warehouse.dir"))
    location = _path(catalog.getDatabaseMetadata(name).locationUri().toString())
    if not location.is_relative_to(warehouse):
        quoted = name.replace("`", "``")
        session.sql(f"ALTER DATABASE `{quoted}` SET LOCATION '{(warehouse / 'gone').as_uri()}'")


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _names(found: Any) -> list[str]:
    return [str(found.apply(number)) for number in range(found.size())]


def _remove_in_server(session: Any) -> None:
    """Remove it from a session of a server, whose tables are there for others too."""
    session.catalog.setCurrentCatalog(_CATALOG)
    session.catalog.setCurrentDatabase(_DEFAULT)
    for row in session.sql("SHOW VIEWS").collect():
        if row.isTemporary:
            session.catalog.dropTempView(row.viewName)
    for row in session.sql("SHOW USER FUNCTIONS").collect():
        if "." not in row.function:  # of the session alone
            quoted = row.function.replace("`", "``")
            session.sql(f"DROP TEMPORARY FUNCTION IF EXISTS `{quoted}`")
