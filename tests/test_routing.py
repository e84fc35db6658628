"""What the record calls the endpoint of a request that no view saw."""

from __future__ import annotations

import pytest

from inference.routing import endpoint_of


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/models/load", "/v1/models/load"),
        ("/v1/models/org/name", "/v1/*"),
        ("/v1/" + "x" * 5000, "/v1/*"),
        ("/anything", "/v1/*"),
        # No request line had arrived.
        ("", ""),
    ],
)
def test_a_path_that_a_client_made_up_never_names_an_endpoint(
    path: str, endpoint: str
) -> None:
    assert endpoint_of(path) == endpoint
