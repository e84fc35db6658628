"""A step of a first start is one line: what is done, and how long it took."""

from __future__ import annotations

import re

import pytest

from mlxsite.startup.errors import StartupError
from mlxsite.startup.steps import elapsed, step


def test_a_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Model: 93 MB to download"):
        assert capsys.readouterr().err == "Model: 93 MB to download ... "
    assert re.fullmatch(r"\d\.\d s\n", capsys.readouterr().err)


def test_a_step_that_fails_says_so_on_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(StartupError), step("Model"):
        raise StartupError("no network")
    assert capsys.readouterr().err == "Model ... failed\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.26, "0.3 s"), (9.94, "9.9 s"), (83.4, "83 s")]
)
def test_it_writes_how_long_something_took(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words
