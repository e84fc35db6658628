"""The templates that tests of families stand on."""

from __future__ import annotations

import os

import pytest

from tests.families.cases import CUT, MORE, met_cases
from tests.families.templates import LIKE, NotFetchedError, templates


def test_there_is_a_template_for_each_family_that_is_tried() -> None:
    try:
        fetched = templates()
    except NotFetchedError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    assert len(fetched) == 111
    written = {f"{LIKE.name}/{path.stem}" for path in LIKE.glob("*.jinja")}
    tried = {case.family for case in (*met_cases(), *MORE, *CUT)}
    assert tried <= {*fetched, *written}
