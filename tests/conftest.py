"""What every test stands on: a data folder of its own, and real models."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest

from tests import fast_blas, longest_first, what_is_here

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent

# A run in the background ignores Ctrl-C, and so would every program it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before Django reads its settings: no test may touch the user's own data, and
# none depends on what the user set.
_data_dir = tempfile.TemporaryDirectory(prefix="mlx-server-tests-")
os.environ["MLX_DATA_DIR"] = _data_dir.name
os.environ["MLX_ENV_FILE"] = os.devnull
for _name in ("DATABASE_URL", "MODEL", "HOST", "PORT", "MLX_API_KEY", "SECRET_KEY"):
    os.environ.pop(_name, None)
# TEST_DATABASE=postgres runs the same tests on PostgreSQL.
if what_is_here.IS_POSTGRES:
    os.environ["DATABASE_URL"] = os.environ.get(
        "TEST_DATABASE_URL", what_is_here.POSTGRES
    )
os.environ["DJANGO_SETTINGS_MODULE"] = "mlxsite.settings"
django.setup()

pytest_configure = fast_blas.pytest_configure
pytest_report_header = what_is_here.pytest_report_header


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    what_is_here.leave_out(config, items)
    longest_first.sort(items)


@pytest.fixture(scope="session", autouse=True)
def _data_dir_removed() -> Iterator[None]:
    yield
    _data_dir.cleanup()


@pytest.fixture(scope="session")
def tiny_model_dir() -> Path:
    """A real 2 MB vision-language model; it also loads as a text model."""
    return REPOSITORY / "tests" / "models" / "tiny-qwen2-vl"


@pytest.fixture(scope="session")
def smollm2_dir() -> Path:
    """The product's default model, made once and kept between runs."""
    from mlxsite.startup.default_model import ensure_default_model

    return ensure_default_model(_kept_models())


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """A real embedding model, fetched once and kept between runs."""
    from tests.models.fetch_minilm import ensure_minilm

    return ensure_minilm(_kept_models())


def _kept_models() -> Path:
    return Path(os.environ.get("MLX_TEST_CACHE", REPOSITORY / ".cache" / "models"))


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Where a PostgreSQL server answers; a test that needs it fails without."""
    return os.environ.get("TEST_DATABASE_URL", what_is_here.POSTGRES)
