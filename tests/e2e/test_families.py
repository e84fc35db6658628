"""Every family of models: what it writes is thinking, text and calls to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.family_server import ASK, FamilyServer, serving
from tests.families.cases import MORE, Case, met_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

# A family's cases follow each other, so that its model is loaded once.
CASES = sorted([*met_cases(), *MORE], key=lambda case: case.family)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyServer]:
    """A server of a model for each family that writes what its cases say."""
    with serving(CASES, tmp_path_factory) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_family_writes_reaches_the_client_as_what_it_means(
    families: FamilyServer, case: Case
) -> None:
    body = families.body_for(case.family, case.name, ASK, **case.request)
    whole = families.ask(body)
    streamed = families.ask(body, stream=True)
    for answer in (whole, streamed):
        assert answer.reasoning == case.reasoning
        assert answer.content == case.content
        assert answer.read_calls == list(case.calls)
        assert answer.finish_reason == case.finish_reason
    assert streamed.calls == whole.calls
    if case.warns:
        assert case.warns in " ".join(families.warnings(whole))
        assert case.warns in " ".join(families.warnings(streamed))
