"""Places of a test's own: no model of the user's is ever looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from inference.library.places import LibraryPlace, places

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


@pytest.fixture
def data_dir(tmp_path: Path, settings) -> Path:
    """An empty data folder, which the settings name too."""
    settings.MLX_DATA_DIR = tmp_path / "data"
    settings.MLX_MODEL_DIRS = []
    return tmp_path / "data"


@pytest.fixture
def lm_studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of LM Studio's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / ".lmstudio" / "models"


@pytest.fixture
def usual_places(
    hub_cache: Path, lm_studio: Path, data_dir: Path
) -> tuple[LibraryPlace, ...]:
    """The places of a machine where no folder of the user's own is set."""
    return places(data_dir=data_dir)
