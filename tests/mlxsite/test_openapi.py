"""The OpenAPI document: valid, whole, and of one mind with the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver
from openapi_spec_validator import validate

from inference import routing
from inference.api.ollama import OLLAMA_PATHS
from inference.core.errors import InvalidRequestError
from inference.core.limits import DEFAULT_LIMITS
from inference.protocol.body import parameters_of, read_body
from inference.protocol.parameters import ChatRequestBody
from inference.runtime.app import install_app
from metrics.api.views import ReadView
from metrics.models import RequestLog, Rollup
from metrics.serializers import (
    RequestDetailSerializer,
    RequestSerializer,
    RollupSerializer,
)
from mlxsite.openapi import document
from tests.metrics.api.cast import KEY, open_doors
from tests.metrics.cast import ended, started

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = [{"role": "user", "content": "Hello"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
TOOL = {"type": "function", "function": {"name": "look"}}


@pytest.fixture(autouse=True)
def _no_app_left() -> Iterator[None]:
    yield
    install_app(None)


def schema_of(name: str) -> dict[str, Any]:
    """Return a schema of the document that stands alone."""
    components = document()["components"]
    return {"$ref": f"#/components/schemas/{name}", "components": components}


def is_of_the_record(path: str) -> bool:
    """Whether an address is the project's own, and none of Ollama's."""
    return path.startswith("/api/") and path not in OLLAMA_PATHS


def is_valid(body: Any, name: str) -> bool:
    validator = jsonschema.Draft202012Validator(schema_of(name))
    return bool(validator.is_valid(body))


def test_it_is_a_valid_document() -> None:
    validate(document())  # type: ignore[arg-type]


def test_every_address_is_documented() -> None:
    known = {re.sub(r"{.*?}", "{}", path) for path in document()["paths"]}
    patterns = [
        *routing.urlpatterns,
        *(
            each
            for module in ("metrics.api.urls", "mlxsite.api_pages")
            for each in get_resolver(module).url_patterns
        ),
    ]
    served = {
        "/" + re.sub(r"<.*?>", "{}", str(each.pattern))
        for each in patterns
        if not str(each.pattern).startswith("^")
    }
    assert served - {"/api/docs"} == known


def test_every_chat_parameter_is_documented() -> None:
    documented = document()["components"]["schemas"]["ChatRequest"]["properties"]
    assert list(documented) == list(parameters_of(ChatRequestBody, DEFAULT_LIMITS))
    assert all(schema["description"] for schema in documented.values())


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        ({}, True),
        ({"temperature": 0.5, "seed": 3, "stop": ["a", "b"], "n": 2}, True),
        ({"temperature": None, "tools": None, "response_format": None}, True),
        ({"temperature": 2.5}, False),
        ({"temperature": "hot"}, False),
        ({"top_p": 0}, True),
        ({"max_tokens": 0}, False),
        ({"max_tokens": 2.5}, False),
        ({"stop": "x"}, True),
        ({"stop": ["a"] * 65}, False),
        ({"logit_bias": {"12": -100}}, True),
        ({"logit_bias": {"twelve": 1}}, False),
        ({"logit_bias": {"12": 101}}, False),
        ({"tools": [TOOL], "tool_choice": "required"}, True),
        ({"tools": [{"type": "custom", "custom": {}}]}, False),
        ({"tools": [TOOL], "tool_choice": "maybe"}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": {"type": "yaml"}}, False),
        ({"guided_json": {"type": "object"}}, True),
        ({"guided_json": 3}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": "some"}, False),
        ({"store": False}, True),
        ({"store": True}, True),
        ({"audio": {}}, False),
        ({"metadata": {"a": "b"}}, True),
        ({"metadata": {"a": 1}}, False),
        ({"stream_options": {"include_usage": True}, "stream": True}, True),
        ({"stream_options": {"include_usage": "yes"}, "stream": True}, False),
        ({"a_name_nobody_knows": 1}, True),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, True),
        ({"messages": [{"role": "nobody", "content": "x"}]}, False),
        ({"messages": []}, False),
        ({"messages": None}, False),
    ],
)
def test_the_document_and_the_server_agree_on_a_chat_request(
    body: dict[str, Any], accepted: bool
) -> None:
    body = {"messages": HELLO, **body}
    assert is_valid(body, "ChatRequest") is accepted
    assert _is_accepted(body) is accepted


def _is_accepted(body: dict[str, Any]) -> bool:
    try:
        read_body(ChatRequestBody, body, limits=DEFAULT_LIMITS)
    except InvalidRequestError:
        return False
    return True


def test_a_list_documents_each_parameter_it_reads() -> None:
    for path, methods in document()["paths"].items():
        if is_of_the_record(path) and "{" not in path and path != "/api/schema":
            view: Any = get_resolver("metrics.api.urls").resolve(path).func.cls  # type: ignore[attr-defined]
            assert issubclass(view, ReadView)
            documented = [each["name"] for each in methods["get"].get("parameters", ())]
            assert documented == [each.name for each in view.parameters]


def test_a_view_documents_its_refusals() -> None:
    for path, methods in document()["paths"].items():
        if is_of_the_record(path):
            answers = methods["get"]["responses"]
            missing = {"404"} if path.endswith("{request_id}") else set()
            assert set(answers) == {"200", "400", "401", "403"} | missing
            errors = [answers[status] for status in set(answers) - {"200"}]
            for error in errors:
                schema = error["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}


@pytest.mark.django_db
def test_a_row_is_what_the_document_says() -> None:
    row = RequestLog.from_record(ended(started(), warnings=("one",)))
    row.save()
    rollup = Rollup(level="hour", at=row.started_at, ttft=[1, 0])
    assert is_valid(RequestDetailSerializer(row).data, "RequestDetail")
    assert is_valid(dict(RequestSerializer(row).data), "Request")
    assert is_valid(dict(RollupSerializer(rollup).data), "Rollup")
    assert not is_valid(dict(RequestSerializer(row).data) | {"tps": "fast"}, "Request")


def test_what_reads_the_views_is_not_loaded_before_it_is_asked_for() -> None:
    asked = "import sys, django; django.setup(); import mlxsite.urls; "
    told = "print([name for name in sys.modules if name.startswith('drf_spect')])"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "mlxsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", asked + told],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.django_db
def test_programs_get_it_as_json() -> None:
    open_doors(key=KEY)
    answer = Client().get("/api/schema", headers={"x-api-key": KEY})
    assert answer.json() == document()
    assert Client().get("/api/schema").status_code == 401


@pytest.mark.django_db
def test_people_get_a_page_without_anything_inline() -> None:
    open_doors(key=KEY)
    client = Client()
    answer = client.get("/api/docs")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=/api/docs")
    client.force_login(User.objects.create_superuser("ada"))
    page = client.get("/api/docs").content.decode()
    for path in document()["paths"]:
        assert path in page
    for name in parameters_of(ChatRequestBody, DEFAULT_LIMITS):
        assert f"<code>{name}</code>" in page
    assert not re.search(r"\sstyle=|\son\w+=|<style", page)
    assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", page)
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    links = set(re.findall(r'href="#([^"]+)"', page)) - {"content-start"}
    assert links <= set(re.findall(r'id="([^"]+)"', page))
