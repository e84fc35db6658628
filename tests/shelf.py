"""A shelf of models of a test's own; nothing of the user's is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from inference.conf import ServerConfig
from inference.known_models import KnownModels
from inference.library.places import places
from inference.library.scan import Library
from tests.library import cast

TINY = Path(__file__).parent / "models" / "tiny-qwen2-vl"


class Shelf:
    """A data folder, a folder of models and a hub cache, all empty at first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "shelf"
        self.models.mkdir(parents=True)
        self.hub = root / "hub"
        self.models_file = root / "models.toml"

    def config(self) -> ServerConfig:
        return replace(
            ServerConfig.from_settings(),
            data_dir=self.root / "data",
            model_dirs=(self.models,),
            models_file=self.models_file,
        )

    def library(self) -> Library:
        config = self.config()
        there = places(data_dir=config.data_dir, extra=config.model_dirs)
        return Library(there, keep_s=0)

    def known(self, **options: Any) -> KnownModels:
        return KnownModels(self.config(), self.library(), **options)

    def put(self, name: str, **config: Any) -> Path:
        """Put the tiny model on the shelf, its config changed."""
        return cast.put_model(TINY, self.models / name, **config)

    def put_elsewhere(self, name: str) -> Path:
        """Put the tiny model where no models are looked for."""
        return cast.put_model(TINY, self.root / "elsewhere" / name)

    def put_in_hub_cache(self, repo_id: str) -> Path:
        """Put the tiny model into the hub's cache, as a download leaves it."""
        return cast.put_in_hub_cache(TINY, self.hub, repo_id)

    def put_adapter(self, name: str, *, base: str) -> Path:
        """Put an adapter on the shelf."""
        return cast.put_adapter(self.models / name, model=base)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf."""
    made = Shelf(tmp_path / "place")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(made.hub))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return made
