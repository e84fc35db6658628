"""Models that tests of the engine share: loaded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.engine.loading.text_model import TextModel, load_text_model
from inference.engine.speculation.draft_model import DraftModel, load_draft
from tests.engine.drafts import AGREEMENTS
from tests.models.make_drafts import make_draft

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def text(tiny_model_dir: Path) -> TextModel:
    """The tiny model."""
    return load_text_model(tiny_model_dir)


@pytest.fixture(scope="session")
def drafts(
    text: TextModel, tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, DraftModel]:
    """Drafts for the tiny model, by how often they are right."""
    folder = tmp_path_factory.mktemp("drafts")
    return {
        name: load_draft(make_draft(tiny_model_dir, folder / name, "noise", x), text)
        for name, x in AGREEMENTS.items()
    }
