"""The page of one request tells what was asked, by whom, and what stood around it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from inference.core.bodies import BodyKeeper
from inference.core.images import ImageData
from inference.core.outcomes import Outcome
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    Delta,
    ImagePart,
    TextPart,
    Tool,
    ToolCall,
    ToolUse,
)
from metrics.models import RequestBody, RequestLog, ServerEventLog
from tests.metrics.cast import NOON, ended, event, started

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


def kept(at_s: float = 0.0, **changes: Any) -> RequestLog:
    record = ended(started(started_at=NOON + at_s), model_requested="tiny")
    row = RequestLog.from_record(record)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row


def page(client: Client, row: RequestLog) -> str:
    url = reverse("admin:metrics_requestlog_change", args=[row.pk])
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def context(client: Client, row: RequestLog) -> Any:
    url = reverse("admin:metrics_requestlog_change", args=[row.pk])
    return client.get(url).context


def curl_words(client: Client, row: RequestLog) -> list[str]:
    """Return the command as a shell reads it."""
    return shlex.split(context(client, row)["curl"].text)


def test_parameters_say_where_they_come_from(admin_client):
    row = kept(
        params={
            "temperature": 0.2,
            "stop": ["\n"],
            "tools": "(5120 bytes)",
            "ignored": ["best_of"],
        },
        defaults={"top_p": 0.95, "temperature": 1.0},
    )
    found = {
        one.name: (one.sent, one.used, one.source)
        for one in context(admin_client, row)["parameters"]
    }
    assert found == {
        "temperature": ("0.2", "0.2", "request"),
        "stop": ('["\\n"]', '["\\n"]', "request"),
        "tools": ("5120 bytes, not kept", "5120 bytes, not kept", "request"),
        "top_p": ("", "0.95", "default"),
        "best_of": ("sent", "", "ignored"),
    }


def test_it_copies_as_curl_without_the_key_and_with_places_for_what_was_not_kept(
    admin_client,
):
    row = kept(
        params={"seed": 7, "tools": "(5120 bytes)", "ignored": ["x"], "user": "o'neil"},
        key_name="ci-bot",
    )
    words = curl_words(admin_client, row)
    assert words[:2] == ["curl", "http://testserver/v1/chat/completions"]
    assert "Authorization: Bearer $MLX_API_KEY" in words
    assert json.loads(words[words.index("-d") + 1]) == {
        "model": "tiny",
        "seed": 7,
        "tools": "…",
        "user": "o'neil",
        "messages": [{"role": "user", "content": "…"}],
    }
    assert context(admin_client, row)["curl"].left_out == ("tools", "messages")


def test_a_ranking_as_curl_has_places_for_query_and_documents(admin_client):
    row = kept(endpoint="/v1/rerank", params={"top_n": 2})
    words = curl_words(admin_client, row)
    said = {"model": "tiny", "top_n": 2, "query": "…", "documents": ["…"]}
    assert json.loads(words[words.index("-d") + 1]) == said
    assert context(admin_client, row)["curl"].left_out == ("query", "documents")


def test_a_kept_prompt_is_shown_as_text_and_stands_in_the_curl_command(admin_client):
    row = kept()
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "<script>x</script>"}]},
    ]
    RequestBody.objects.create(
        request_id=row.request_id,
        started_at=row.started_at,
        prompt=prompt,
        answer={"role": "assistant", "content": "It's $HOME."},
    )
    text = page(admin_client, row)
    assert "<pre>&lt;script&gt;x&lt;/script&gt;</pre>" in text
    assert "<pre>It&#x27;s $HOME.</pre>" in text
    assert "were not kept" not in text
    words = curl_words(admin_client, row)
    body = json.loads(words[words.index("-d") + 1])
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<script>x</script>"},
    ]


def test_a_command_in_anthropics_format_has_a_place_for_the_messages(admin_client):
    look = {"name": "look", "input_schema": {"type": "object"}}
    row = kept(endpoint="/v1/messages", params={"max_tokens": 9, "tools": [look]})
    RequestBody.objects.create(
        request_id=row.request_id,
        started_at=row.started_at,
        prompt={
            "messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}],
            "tools": [{"name": "look", "parameters": {"type": "object"}}],
        },
        answer=None,
    )
    words = curl_words(admin_client, row)
    assert json.loads(words[words.index("-d") + 1]) == {
        "model": "tiny",
        "max_tokens": 9,
        "tools": [look],
        "messages": [{"role": "user", "content": "…"}],
    }


def test_what_the_server_keeps_of_a_conversation_becomes_a_command_again(admin_client):
    image = ImageData(sha256="ab" * 32, data=b"12", width=1, height=1)
    call = ToolCall(id="call_1", name="look", arguments="{}")
    messages = (
        ChatMessage(role="user", content=(TextPart(text="See"), ImagePart(url="x"))),
        ChatMessage(role="assistant", tool_calls=(call,), reasoning="Hm"),
        ChatMessage(role="user", content=(TextPart(text="Well?"),)),
    )
    tools = ToolUse((Tool(name="look", parameters={"type": "object"}),))
    keeper = BodyKeeper((ChatPrompt(messages, tools=tools),))
    keeper.saw_images([image])
    keeper.add(Delta(text="A cat.", reasoning="It purrs."))
    keeper.add(Delta(index=1, text="A dog."))
    row = kept(params={"tools": "(5120 bytes)"})
    RequestBody.objects.create(
        request_id=row.request_id,
        started_at=row.started_at,
        prompt=keeper.prompt(),
        answer=keeper.answer(),
    )
    words = curl_words(admin_client, row)
    body = json.loads(words[words.index("-d") + 1])
    function = {"name": "look", "parameters": {"type": "object"}}
    assert body["tools"] == [{"type": "function", "function": function}]
    first, second, third = body["messages"]
    assert first["content"][0] == {"type": "text", "text": "See"}
    assert first["content"][1]["image_url"] == {"url": "data:image/png;base64,…"}
    assert second["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert third == {"role": "user", "content": "Well?"}
    found = context(admin_client, row)
    assert found["curl"].left_out == ("the images",)
    assert [one.role for one in found["prompt"]] == [
        "tools",
        "user",
        "assistant",
        "user",
    ]
    assert found["answer"][0].text == "(thinking) It purrs.\nA cat."
    assert (found["answer"][1].role, found["answer"][1].text) == ("choice 2", "A dog.")


@pytest.mark.parametrize("body", ["plain", ["a", "b"], {"x": [1]}, 3, [], None, ""])
def test_a_body_of_any_form_has_a_page(admin_client, body):
    row = kept()
    RequestBody.objects.create(
        request_id=row.request_id, started_at=row.started_at, prompt=body, answer=body
    )
    assert row.request_id in page(admin_client, row)


def test_a_message_over_a_websocket_is_no_curl_command(admin_client):
    row = kept(endpoint="/ws/chat")
    assert context(admin_client, row)["curl"] is None
    assert "As curl" not in page(admin_client, row)


def test_an_estimated_count_carries_the_word(admin_client):
    assert "estimated" in page(admin_client, kept(is_estimated=True))
    assert "estimated" not in page(admin_client, kept())


def test_a_refusal_shows_its_figures(admin_client):
    text = page(
        admin_client,
        kept(
            outcome=Outcome.REJECTED,
            reason="no_memory",
            refusal={
                "needed_bytes": 39_700_000_000,
                "held_bytes": {"my_model": 12_000_000_000, "b": 5_000_000},
                "timeout_s": 30.0,
                "waiting": 32,
                "who": "<b>",
            },
        ),
    )
    assert "<dt>needed</dt><dd>39.70 GB</dd>" in text
    assert "<dt>held</dt><dd>my_model 12.00 GB, b 5.0 MB</dd>" in text
    assert "<dt>timeout</dt><dd>30.0 s</dd>" in text
    assert "<dt>waiting</dt><dd>32</dd>" in text
    assert "<dd>&lt;b&gt;</dd>" in text


def test_it_shows_batch_memory_and_tags(admin_client):
    row = kept(
        batch_mean=3.44, batch_max=5, memory_bytes=1_900_000_000, tags={"a": "b"}
    )
    text = page(admin_client, row)
    assert "3.4 rows on average, 5 at most" in text
    assert "1.90 GB, held by the model at the end" in text
    assert '<span class="tag">a: b</span>' in text


def test_the_same_client_is_its_session_else_its_user_else_its_key(admin_client):
    row = kept(session_id="s", user="u", key_name="k")
    near = kept(60, session_id="s")
    kept(120, user="u", key_name="k")
    kept(3600, session_id="s")
    found = context(admin_client, row)
    assert [one.pk for one in found["neighbours"]] == [near.pk, row.pk]
    assert found["client"].text == "session s"
    by_user = kept(user="v", key_name="k")
    assert context(admin_client, by_user)["client"].text == "user v"
    by_key = kept(key_name="k")
    assert context(admin_client, by_key)["client"].text == "key k"


def test_events_of_its_model_and_server_around_it_are_shown(admin_client):
    row = kept()
    ServerEventLog.from_event(event(model="tiny", at=NOON + 5, detail="near")).save()
    ServerEventLog.from_event(event(kind="server_start", detail="boot")).save()
    ServerEventLog.from_event(event(model="other", detail="another")).save()
    ServerEventLog.from_event(event(model="tiny", at=NOON + 9000, detail="far")).save()
    found = context(admin_client, row)["events"]
    assert [one.detail for one in found] == ["boot", "near"]


def test_it_leads_to_the_next_requests(admin_client):
    rows = [kept(second) for second in range(3)]
    assert context(admin_client, rows[1])["beside"] == {
        "newer": rows[2].pk,
        "older": rows[0].pk,
    }
    assert context(admin_client, rows[2])["beside"]["newer"] is None


def test_a_page_takes_a_handful_of_queries(admin_client, django_assert_max_num_queries):
    row = kept(session_id="s")
    for second in range(30):
        kept(second, session_id="s")
    with django_assert_max_num_queries(9):
        page(admin_client, row)
