"""What this machine lacks for some tests: named, and left out; never in CI.

Loaded by `tests/conftest.py`. A machine that checks for everybody has everything:
with `CI` in the environment nothing is left out, and what is missing fails. A run on
PostgreSQL leaves out what the run before it has shown on every kind of database, or
without one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

POSTGRES = "postgres://root@127.0.0.1:5432/postgres"


IS_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
TESTS = Path(__file__).parent


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of what is not here, or say nothing of this database."""
    if IS_POSTGRES:
        others = [item for item in items if not _asks_default_database(item)]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if _asks_default_database(item)]
    if os.environ.get("CI"):
        return
    needs = [(item, set(_needs(item))) for item in items]
    missing = {
        need for need in set().union(*(found for _, found in needs)) if _MISSING[need]()
    }
    without = [item for item, found in needs if found & missing]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item, found in needs if not found & missing]


def pytest_report_header() -> list[str]:
    """Say what is left out, and why."""
    if os.environ.get("CI"):
        return []
    found = (look() for look in _MISSING.values())
    return [f"note: tests are left out: {words}" for words in found if words]


def _asks_default_database(item: pytest.Item) -> bool:
    """Whether a test asks the database of the settings, itself or by its server."""
    if item.path.is_relative_to(TESTS / "e2e"):
        return True
    names = {"db", "transactional_db", "server"} & {*getattr(item, "fixturenames", ())}
    return bool(names) or item.get_closest_marker("django_db") is not None


def _needs(item: pytest.Item) -> Iterable[str]:
    names = getattr(item, "fixturenames", ())
    if "browser" in names:
        yield "browser"
    if "zsh" in names:
        yield "zsh"
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.values() if callspec is not None else ()
    # Of any type: an array would answer `in` with an array.
    words = {value for value in chosen if isinstance(value, str)}
    if "postgres_url" in names or "postgres" in words:
        yield "postgres"


def _browser() -> str:
    tools = [tool for tool in ("chromium", "chromedriver") if not shutil.which(tool)]
    return f"{' and '.join(tools)} not found; pages need them" if tools else ""


def _zsh() -> str:
    return "" if shutil.which("zsh") else "zsh not found; its completion needs it"


def missing_postgres() -> str:
    """Return what to say where no PostgreSQL server answers."""
    try:
        url = os.environ.get("TEST_DATABASE_URL", POSTGRES)
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error:
        return "no PostgreSQL server answers; TEST_DATABASE_URL says where one is"
    return ""


_MISSING = {"browser": _browser, "zsh": _zsh, "postgres": missing_postgres}
