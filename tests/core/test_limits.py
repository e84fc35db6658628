"""Every limit is written down."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from inference.core.limits import Limits

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"


def test_it_names_every_limit_in_the_docs() -> None:
    text = PAGE.read_text()
    assert [f.name for f in fields(Limits) if f"`{f.name}`" not in text] == []
