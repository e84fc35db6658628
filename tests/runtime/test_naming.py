"""Names of Claude's: which model answers for them, and what is said where none does."""

from __future__ import annotations

import pytest

from inference.core.errors import ModelNotFoundError
from tests.runtime.cast import serving

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("setting", "key"), [("second", "second"), ("default", "first")]
)
async def test_a_name_of_claudes_means_what_the_setting_says(
    setting: str, key: str
) -> None:
    async with serving("first", "second", claude_model=setting) as stage:
        assert await stage.service.key_of("claude-opus-4-8[1m]") == key
        with pytest.raises(ModelNotFoundError):
            await stage.service.key_of("gpt-5")


async def test_a_model_with_a_name_of_claudes_is_meant_itself() -> None:
    async with serving("first", "claude-mine", claude_model="default") as stage:
        assert await stage.service.key_of("claude-mine") == "claude-mine"


async def test_without_the_setting_the_refusal_names_it() -> None:
    async with serving("first") as stage:
        with pytest.raises(ModelNotFoundError, match="ANTHROPIC_MODEL"):
            await stage.service.key_of("claude-opus-4-8")
        with pytest.raises(ModelNotFoundError) as refused:
            await stage.service.key_of("gpt-5")
        assert "ANTHROPIC" not in refused.value.message
