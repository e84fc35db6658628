"""What is installed works without the checkout it came from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.mlxsite.commands import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = ("mlxsite", "inference", "metrics", "templates")
FILES = ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE")
SHOW = """
import mlxsite
from django.contrib.staticfiles import finders
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.template.loader import get_template
print(mlxsite.__file__)
print(get_template("admin/base_site.html").origin.name)
print(get_template("site/home.html").origin.name)
print(finders.find("metrics/admin.css"))
print(finders.find("mlxsite/chat/main.js"))
loader = MigrationLoader(connection)
print(sorted({app for app, _ in loader.disk_migrations} & {"inference", "metrics"}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as pip installs it, away from any checkout."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("installed")
    for name in SHIPPED:
        shutil.copytree(REPOSITORY / name, source / name)
    for name in FILES:
        shutil.copy(REPOSITORY / name, source / name)
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--quiet")
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    shutil.rmtree(source)
    return target


@pytest.mark.slow
def test_it_finds_templates_static_files_and_migrations_when_installed(
    installed: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}

    result = subprocess.run(
        [sys.executable, "-m", "django", "shell", "-v", "0", "-c", SHOW],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    *found, migrations = result.stdout.splitlines() or [result.stderr]
    assert len(found) == 5, result.stderr
    assert all(path.startswith(str(installed)) for path in found), found
    assert migrations == "['inference', 'metrics']"


@pytest.mark.slow
def test_it_installs_the_command(installed: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(installed / "bin" / "mlx-server"), "check"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert not (installed / "templates").exists()
