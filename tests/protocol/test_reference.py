"""The page of parameters says what the code does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from inference.core.limits import DEFAULT_LIMITS
from inference.management.commands.api_reference import (
    CHECKOUT,
    openai_fields,
    shown_fields,
)
from inference.protocol.body import parameters_of
from inference.protocol.parameters import ChatRequestBody

if TYPE_CHECKING:
    from pathlib import Path

PAGE = CHECKOUT / "docs" / "parameters.md"


def test_it_knows_every_parameter_of_openai() -> None:
    assert (
        set(openai_fields()) - set(parameters_of(ChatRequestBody, DEFAULT_LIMITS))
        == set()
    )


def test_it_shows_every_parameter_of_openai_in_a_test() -> None:
    assert set(shown_fields(CHECKOUT)) == set(openai_fields())


def test_it_keeps_the_page_of_parameters_up_to_date() -> None:
    call_command("api_reference", check=str(PAGE))


def test_it_notices_a_page_that_is_not(tmp_path: Path) -> None:
    stale = tmp_path / "parameters.md"
    stale.write_text(PAGE.read_text() + "\n")
    with pytest.raises(CommandError, match="out of date") as refused:
        call_command("api_reference", check=str(stale))
    assert refused.value.returncode == 1


def test_it_says_what_every_parameter_does() -> None:
    for name, field in parameters_of(ChatRequestBody, DEFAULT_LIMITS).items():
        assert field.said.text, name
