"""Real databases for threads and processes: a file each, or PostgreSQL."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, Any

import environ
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from mlxsite.databases import default_database as sqlite_settings
from tests.metrics.cast import default_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def migrated_file(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("database") / "db.sqlite3"
    with django_db_blocker.unblock(), default_database(**sqlite_settings(path)):
        call_command("migrate", verbosity=0)
    return path


@pytest.fixture
def sqlite_file(
    tmp_path: Path, migrated_file: Path, django_db_blocker: Any
) -> Iterator[Path]:
    """A SQLite file of its own as the default database."""
    path = tmp_path / "db.sqlite3"
    shutil.copy(migrated_file, path)
    with django_db_blocker.unblock(), default_database(**sqlite_settings(path)):
        yield path


@pytest.fixture(scope="session")
def postgres_settings(
    postgres_url: str, django_db_blocker: Any
) -> Iterator[dict[str, Any]]:
    """A PostgreSQL database of this test run, with all tables."""
    server = environ.Env.db_url_config(postgres_url) | {"OPTIONS": {}}
    # Not the process id: another run with the same one may have left its own behind.
    name = f"metrics_{uuid.uuid4().hex}"
    with django_db_blocker.unblock():
        with default_database(**server), connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        with default_database(**server | {"NAME": name}):
            call_command("migrate", verbosity=0)
        yield server | {"NAME": name}
        with default_database(**server), connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres(
    postgres_settings: dict[str, Any], django_db_blocker: Any
) -> Iterator[None]:
    """An empty PostgreSQL database as the default one."""
    with django_db_blocker.unblock(), default_database(**postgres_settings):
        yield
        for name in ("metrics", "inference"):
            for table in apps.get_app_config(name).get_models():
                table._default_manager.all().delete()


@pytest.fixture(params=["sqlite_file", "postgres"])
def database(request: pytest.FixtureRequest) -> None:
    """Each kind of database in turn."""
    request.getfixturevalue(request.param)
