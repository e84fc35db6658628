"""The admin's pages of models: what staff see, set, begin and end there."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from inference.admin.admin_actions import ADMIN_ACTIONS
from inference.core.catalog import ModelCard
from inference.core.errors import (
    InsufficientMemoryError,
    ModelConflictError,
    ModelNotFoundError,
)
from inference.core.models import ModelOptions
from inference.core.outcomes import ModelState
from inference.known_models import shared_library
from inference.models import OPTION_FIELDS, SAMPLING_FIELDS, ModelEntry
from inference.runtime.app import App, install_app
from tests.e2e.servers import wait_until
from tests.shelf import Shelf
from tests.shelf import shelf as empty_shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from django.test import Client

    from inference.core.models import LoadRequest

__all__ = ["empty_shelf"]

LIST = "/admin/inference/modelentry/"
ADD = f"{LIST}add/"
STATES = f"{LIST}states.json"
HUB_ID = "tiny-org/tiny-from-hub"
EMPTY = dict.fromkeys(
    (*SAMPLING_FIELDS, *(name for name in OPTION_FIELDS if name != "trust_code")), ""
)

pytestmark = pytest.mark.django_db


class FakeService:
    """Says what it is told to; loads wait for `go`, by key."""

    def __init__(self) -> None:
        self.models: dict[str, ModelCard] = {}
        self.asked: list[tuple[str, str]] = []
        self.errors: dict[str, Exception] = {}
        self.go: dict[str, asyncio.Event] = {}

    def put(self, key: str, state: ModelState, **facts: Any) -> None:
        self.models[key] = ModelCard(key=key, source=key, state=state, **facts)

    def cards(self) -> tuple[ModelCard, ...]:
        return tuple(self.models.values())

    async def load_by_name(
        self, asked: LoadRequest, *, may_download: bool, on_update: Any
    ) -> None:
        assert not may_download
        await self._do("load", asked.model)

    async def unload(self, key: str, *, force: bool = False) -> None:
        await self._do("unload by force" if force else "unload", key)

    async def release(self, key: str) -> None:
        await self._do("release", key)

    def pin(self, key: str, pinned: bool) -> None:
        if key not in self.models:
            raise ModelNotFoundError("It is not here.")
        self.models[key] = msgspec.structs.replace(self.models[key], pinned=pinned)

    async def _do(self, what: str, key: str) -> None:
        self.asked.append((what, key))
        if key in self.go:
            await self.go[key].wait()
        if key in self.errors:
            raise self.errors[key]


class Running:
    """A service on a loop in a thread of its own, as the server has it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.service = FakeService()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        fakes: dict[str, Any] = dict.fromkeys(
            ("observer", "stats", "keys", "identity", "record")
        )
        service: Any = self.service
        install_app(App(service=service, loop=self.loop, **fakes))

    def hold(self, key: str) -> None:
        self.service.go[key] = asyncio.Event()

    def let_go(self, key: str) -> None:
        self.loop.call_soon_threadsafe(self.service.go[key].set)

    def end(self) -> None:
        install_app(None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(name="shelf")
def shelf_of_the_server(empty_shelf: Shelf, settings: Any) -> Shelf:
    config = empty_shelf.config()
    settings.MLX_DATA_DIR = config.data_dir
    settings.MLX_MODEL_DIRS = list(config.model_dirs)
    settings.MLX_MODELS_FILE = config.models_file
    return empty_shelf


@pytest.fixture(autouse=True)
def _nothing_began() -> Iterator[None]:
    yield
    ADMIN_ACTIONS.failures.clear()


@pytest.fixture
def admin_client(client: Client, django_user_model: type[User]) -> Client:
    """Logged in as one who may do everything; without a slow password."""
    rights = {"is_staff": True, "is_superuser": True}
    client.force_login(django_user_model.objects.create(username="admin", **rights))
    return client


@pytest.fixture
def running() -> Iterator[Running]:
    server = Running()
    yield server
    server.end()


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends by itself is done at once, however busy the machine."""
    monkeypatch.setattr(ADMIN_ACTIONS, "_patience_s", 60.0)


@pytest.fixture
def entry(shelf: Shelf) -> ModelEntry:
    return ModelEntry.objects.entry_for("org/model", source="/models/m")


def page(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def change(entry: ModelEntry) -> str:
    return f"{LIST}{entry.pk}/change/"


def act(client: Client, action: str, *entries: ModelEntry) -> str:
    """Run an action on models and return the page that it leads to."""
    sent = {"action": action, "_selected_action": [entry.pk for entry in entries]}
    answer = client.post(LIST, {**sent, "index": 0}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def messages_of(text: str) -> list[str]:
    found = re.search(r'<ul class="messagelist">(.*?)</ul>', text, re.DOTALL)
    return re.findall(r"<li[^>]*>(.*?)</li>", found[1]) if found else []


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    errors: dict[str, list[str]] = answer.context["adminform"].form.errors
    return errors


def cell(text: str, name: str, key: str) -> str:
    pattern = rf'data-live="{name}" data-key="{re.escape(key)}">([^<]*)<'
    found = re.search(pattern, text)
    assert found is not None, f"no cell {name} of {key}"
    return found[1]


# --- what staff see


def test_it_lists_models_where_no_service_runs(
    admin_client: Client, entry: ModelEntry
) -> None:
    text = page(admin_client)
    assert entry.key in text
    assert cell(text, "state", entry.key) == "not served"


@pytest.mark.parametrize("state", list(ModelState))
def test_it_shows_each_state_as_a_chip(
    admin_client: Client, entry: ModelEntry, running: Running, state: ModelState
) -> None:
    running.service.put(entry.key, state, error="<b>no</b>")
    for text in (page(admin_client), page(admin_client, change(entry))):
        assert f'<span class="chip" data-m="{state}"' in text
        assert cell(text, "state", entry.key) == state
        assert "&lt;b&gt;no&lt;/b&gt;" in text
        assert "<b>no" not in text


def test_it_shows_what_a_model_does_now(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    now = timezone.now().timestamp()
    running.service.put(
        entry.key,
        ModelState.READY,
        memory_bytes=18_400_000_000,
        size_bytes=16_000_000_000,
        context_length=40_960,
        max_concurrency=8,
        active=4,
        in_use=5,
        waiting=1,
        pinned=True,
        load_s=5.84,
        loaded_at=now - 3700,
        restarts=2,
        capabilities=("text", "tools"),
        notes=("KV quantization is not possible here",),
    )
    text = page(admin_client)
    assert cell(text, "memory", entry.key) == "18.4 GB"
    assert cell(text, "in_use", entry.key) == "5"
    assert cell(text, "waiting", entry.key) == "1"
    assert cell(text, "pinned", entry.key) == "pinned"
    assert cell(text, "used", entry.key) == "now"
    text = page(admin_client, change(entry))
    assert cell(text, "seats", entry.key) == "4 of 8"
    assert cell(text, "size", entry.key) == "16.0 GB"
    assert cell(text, "context", entry.key) == "40,960"
    assert cell(text, "load_time", entry.key) == "5.8 s"
    assert "1\N{NO-BREAK SPACE}hour ago" in cell(text, "loaded", entry.key)
    assert cell(text, "restarts", entry.key) == "2"
    assert cell(text, "capabilities", entry.key) == "text, tools"
    assert "KV quantization is not possible here" in text


def test_it_shows_how_far_a_load_is(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    running.service.put(entry.key, ModelState.LOADING, progress=0.62)
    assert re.search(r'<progress [^>]*value="62"[^>]*aria-label', page(admin_client))
    running.service.put(entry.key, ModelState.READY)
    assert re.search(r"<progress [^>]*hidden>", page(admin_client))


def test_the_list_looks_at_the_service_once(
    admin_client: Client, shelf: Shelf, running: Running, monkeypatch: Any
) -> None:
    for number in range(20):
        ModelEntry.objects.entry_for(f"m{number}", source="x")
    looks: list[int] = []
    cards = running.service.cards

    def counted() -> tuple[ModelCard, ...]:
        looks.append(1)
        return cards()

    monkeypatch.setattr(running.service, "cards", counted)
    page(admin_client)
    assert len(looks) == 1


def test_it_says_what_else_the_library_has_and_leads_to_adding_it(
    admin_client: Client, shelf: Shelf
) -> None:
    shelf.put("group/tiny")
    shelf.put("second")
    (shelf.put("broken") / "tokenizer.json").unlink()
    ModelEntry.objects.entry_for("mine", source="second")
    text = page(admin_client)
    assert "The library has 3 models, 2 not in this list." in text
    link = f"{ADD}?key=group%2Ftiny&amp;source=group%2Ftiny"
    assert link in text
    assert "source=broken" not in text
    assert "tokenizer" in text
    form = page(admin_client, link.replace("&amp;", "&"))
    assert 'name="key" value="group/tiny"' in form
    assert '<option value="second">' in form
    assert '<option value="broken">' not in form


def test_it_says_why_the_models_file_is_not_used(
    admin_client: Client, shelf: Shelf
) -> None:
    shelf.models_file.write_text("[models.a]\nkv_bits = 5\n")
    assert "kv_bits: Value 5 is not a valid choice" in page(admin_client)


def test_its_pages_need_no_inline_script_or_style(
    admin_client: Client, shelf: Shelf, running: Running
) -> None:
    shelf.put("tiny")
    entry = ModelEntry.objects.entry_for("mine", source="tiny")
    running.service.put(entry.key, ModelState.LOADING, progress=0.1, error="why")
    for address in (LIST, change(entry), ADD):
        text = page(admin_client, address)
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text)


# --- the states, for the script


def test_the_script_gets_the_cells_of_all_models(
    admin_client: Client, running: Running
) -> None:
    running.service.put("a", ModelState.READY, memory_bytes=2_000_000_000, in_use=2)
    running.service.put("b", ModelState.QUARANTINED, error="it died 5 times")
    answer = admin_client.get(STATES)
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    models = answer.json()
    assert (models["a"]["state"], models["a"]["memory"]) == ("ready", "2.00 GB")
    assert models["b"]["why"] == "it died 5 times"
    assert models[""]["state"] == "unloaded"
    # Every cell of the pages is in it.
    entry = ModelEntry.objects.entry_for("a", source="x")
    text = page(admin_client) + page(admin_client, change(entry))
    assert set(re.findall(r'data-live="(\w+)"', text)) <= set(models["a"])


def test_the_states_are_for_staff_who_may_see_models(
    client: Client, running: Running, django_user_model: type[User]
) -> None:
    assert client.get(STATES).status_code == 302
    client.force_login(django_user_model.objects.create_user("anna"))
    assert client.get(STATES).status_code == 302
    staff = django_user_model.objects.create_user("ben", is_staff=True)
    client.force_login(staff)
    assert client.get(STATES).status_code == 403


def test_where_no_service_runs_the_states_say_so(admin_client: Client) -> None:
    assert admin_client.get(STATES).json()[""]["state"] == "not served"


# --- what staff set


def test_it_keeps_what_staff_set(admin_client: Client, shelf: Shelf) -> None:
    shelf.put("tiny")
    adapter, draft = shelf.put_adapter("poet", base="tiny"), shelf.put("small")
    entry = ModelEntry.objects.entry_for("mine", source="tiny")
    sent = {
        "temperature": "0",
        "top_p": "0.5",
        "max_tokens": "9",
        "chat_template": "{% generation %}\r\n{{ x }}{% endgeneration %}\r\n",
        "system_prompt": "  Be brief.\r\n",
        "think_start": "<think>",
        "think_end": "</think>",
        "image_tokens": "before",
        "context_limit": "2000",
        "max_concurrency": "4",
        "kv_bits": "8",
        "adapter_path": str(adapter),
        "draft_path": "small",
        "trust_code": "on",
        "pin": "False",
        "ttl_s": "0",
    }
    assert draft.is_dir()
    assert admin_client.post(change(entry), EMPTY | sent).status_code == 302
    entry.refresh_from_db()
    assert entry.to_options() == ModelOptions(
        sampling={"temperature": 0, "top_p": 0.5, "max_tokens": 9},
        chat_template="{% generation %}\n{{ x }}{% endgeneration %}\n",
        system_prompt="  Be brief.\n",
        think_start="<think>",
        think_end="</think>",
        image_tokens="before",
        context_limit=2000,
        max_concurrency=4,
        kv_bits=8,
        adapter_path=str(adapter),
        draft_path="small",
        trust_code=True,
        pin=False,
        ttl_s=0,
    )


def test_what_is_left_empty_is_not_said(
    admin_client: Client, entry: ModelEntry
) -> None:
    assert admin_client.post(change(entry), EMPTY).status_code == 302
    entry.refresh_from_db()
    assert entry.to_options() == ModelOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "3"),
        ("temperature", "nan"),
        ("top_p", "0"),
        ("top_k", "1000001"),
        ("max_tokens", "0"),
        ("context_limit", "15"),
        ("context_limit", "10000001"),
        ("max_concurrency", "0"),
        ("max_concurrency", "1025"),
        ("kv_bits", "5"),
        ("image_tokens", "middle"),
        ("ttl_s", "-1"),
        ("ttl_s", "31536001"),
        ("ttl_s", "inf"),
        ("pin", "perhaps"),
        ("think_start", "x" * 65),
        ("system_prompt", "ä" * 33_000),
        ("chat_template", "ä" * 132_000),
        ("chat_template", "{% if x %}"),
        ("chat_template", "{{" + "(" * 5000),
        ("adapter_path", "/etc"),
        ("adapter_path", "tiny"),
        ("draft_path", "nobody"),
    ],
)
def test_it_refuses_what_cannot_be(
    admin_client: Client, shelf: Shelf, name: str, value: str
) -> None:
    shelf.put("tiny")
    entry = ModelEntry.objects.entry_for("mine", source="tiny")
    errors = errors_of(admin_client.post(change(entry), EMPTY | {name: value}))
    assert list(errors) == [name]
    entry.refresh_from_db()
    assert entry.to_options() == ModelOptions()


def test_the_tags_of_thinking_are_set_together(
    admin_client: Client, entry: ModelEntry
) -> None:
    answer = admin_client.post(change(entry), EMPTY | {"think_start": "<think>"})
    assert errors_of(answer) == {"think_end": ["The two tags are set together."]}


def test_new_settings_of_a_loaded_model_wait_for_its_next_load(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    running.service.put(entry.key, ModelState.READY)
    answer = admin_client.post(
        change(entry), EMPTY | {"kv_bits": "8", "pin": "True"}, follow=True
    )
    assert any("unload and load it" in m for m in messages_of(answer.content.decode()))
    # A pin holds at once.
    wait_until(lambda: running.service.models[entry.key].pinned, "the pin", 60)


# --- adding and deleting


@pytest.mark.parametrize("source", ["group/tiny", "tiny", HUB_ID, "{folder}"])
def test_staff_add_a_model_of_this_machine(
    admin_client: Client, shelf: Shelf, source: str
) -> None:
    folder = shelf.put("group/tiny")
    shelf.put_in_hub_cache(HUB_ID)
    sent = {"key": "mine", "source": source.format(folder=folder)}
    assert admin_client.post(ADD, EMPTY | sent).status_code == 302
    kept = ModelEntry.objects.get()
    assert (kept.key, kept.source, kept.kind) == ("mine", sent["source"], "")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nobody", "nobody: it is not on this machine."),
        ("/etc", "/etc is in none of the folders"),
        ("{elsewhere}", "is in none of the folders"),
        ("broken", "broken: its tokenizer (tokenizer.json) is missing."),
        ("no/such", "no/such: it is not on this machine."),
        ("", "This field is required."),
    ],
)
def test_it_says_why_a_model_cannot_be_added(
    admin_client: Client, shelf: Shelf, source: str, words: str
) -> None:
    elsewhere = shelf.put_elsewhere("tiny")
    (shelf.put("broken") / "tokenizer.json").unlink()
    sent = {"key": "mine", "source": source.format(elsewhere=elsewhere)}
    errors = errors_of(admin_client.post(ADD, EMPTY | sent))
    assert list(errors) == ["source"]
    assert words in errors["source"][0]
    assert not ModelEntry.objects.exists()


@pytest.mark.parametrize("key", ["", "org/model", "a\x07b", "k" * 201])
def test_it_refuses_a_key_that_cannot_be(
    admin_client: Client, shelf: Shelf, entry: ModelEntry, key: str
) -> None:
    shelf.put("tiny")
    sent = {"key": key, "source": "tiny"}
    assert list(errors_of(admin_client.post(ADD, EMPTY | sent))) == ["key"]
    assert ModelEntry.objects.count() == 1


def test_staff_give_a_model_further_names(
    admin_client: Client, shelf: Shelf, entry: ModelEntry
) -> None:
    sent = {"aliases": " gpt-4o,gpt-4o-mini , gpt-4o"}
    assert admin_client.post(change(entry), EMPTY | sent).status_code == 302
    entry.refresh_from_db()
    assert entry.to_options().aliases == ("gpt-4o", "gpt-4o-mini")


def test_a_name_that_leads_to_another_model_is_refused_with_that_ones_key(
    admin_client: Client, shelf: Shelf, entry: ModelEntry
) -> None:
    shelf.put("tiny")
    ModelEntry.objects.create(key="second", source="tiny", aliases="gpt-4o")
    for name, words in (
        ("gpt-4o", "gpt-4o is an alias of second."),
        ("second", "second is the key of second."),
        ("tiny", "tiny is the name of a model on this machine."),
        ("x" * 201, "A name has 200 characters at most."),
    ):
        answer = admin_client.post(change(entry), EMPTY | {"aliases": f"ok, {name}"})
        assert errors_of(answer) == {"aliases": [words]}
    answer = admin_client.post(ADD, EMPTY | {"key": "gpt-4o", "source": "tiny"})
    assert errors_of(answer) == {"key": ["gpt-4o is an alias of second."]}


def test_key_and_source_are_chosen_once(
    admin_client: Client, shelf: Shelf, entry: ModelEntry
) -> None:
    shelf.put("tiny")
    sent = {"key": "other", "source": "tiny"}
    assert admin_client.post(change(entry), EMPTY | sent).status_code == 302
    kept = ModelEntry.objects.get()
    assert (kept.key, kept.source) == ("org/model", "/models/m")


def test_a_model_in_memory_is_not_deleted(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    address = reverse("admin:inference_modelentry_delete", args=[entry.pk])
    running.service.put(entry.key, ModelState.READY)
    assert admin_client.post(address, {"post": "yes"}).status_code == 403
    sent = {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"}
    answer = admin_client.post(LIST, {**sent, "index": 0})
    assert "org/model: unload it first" in answer.content.decode()
    assert ModelEntry.objects.count() == 1
    running.service.put(entry.key, ModelState.FAILED)
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not ModelEntry.objects.exists()


# --- what staff begin


def test_a_load_is_begun_and_not_waited_for(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    running.hold(entry.key)
    began = time.monotonic()
    text = act(admin_client, "load", entry)
    assert time.monotonic() - began < 5
    assert messages_of(text) == ["Loading: org/model."]
    wait_until(lambda: running.service.asked, "the load", 60)
    assert running.service.asked == [("load", entry.key)]
    running.let_go(entry.key)


@pytest.mark.usefixtures("_patient")
def test_a_refusal_that_comes_at_once_is_told_at_once(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    error = ModelConflictError("The model `org/model` is loaded already.")
    running.service.errors[entry.key] = error
    text = act(admin_client, "load", entry)
    assert messages_of(text) == ["The model `org/model` is loaded already."]
    assert cell(text, "why", entry.key) == "\N{EN DASH}"


def test_a_failure_that_comes_late_is_told_by_the_pages(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    running.hold(entry.key)
    running.service.errors[entry.key] = InsufficientMemoryError("It needs 39.7 GB.")
    act(admin_client, "load", entry)
    running.let_go(entry.key)
    wait_until(
        lambda: (
            admin_client.get(STATES).json().get(entry.key, {}).get("why")
            == "It needs 39.7 GB."
        ),
        "the failure in the states",
        60,
    )
    assert cell(page(admin_client), "why", entry.key) == "It needs 39.7 GB."
    # The next attempt begins with a clean slate.
    running.service.errors.clear()
    assert "It needs" not in act(admin_client, "load", entry)


def test_several_are_loaded_one_after_the_other(
    admin_client: Client, shelf: Shelf, running: Running
) -> None:
    entries = [ModelEntry.objects.entry_for(key, source="x") for key in "abc"]
    running.hold("a")
    running.service.errors["b"] = InsufficientMemoryError("It needs 39.7 GB.")
    assert messages_of(act(admin_client, "load", *entries)) == ["Loading: a, b, c."]
    wait_until(lambda: running.service.asked, "the first load", 60)
    assert running.service.asked == [("load", "a")]
    running.let_go("a")
    wait_until(lambda: len(running.service.asked) == 3, "the other loads", 60)
    wait_until(
        lambda: ADMIN_ACTIONS.failures == {"b": "It needs 39.7 GB."}, "a failure", 60
    )


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize(
    ("action", "asked", "said"),
    [
        ("unload", "unload", "Unloaded: org/model."),
        ("unload_now", "unload by force", "Unloaded: org/model."),
        ("release", "release", "Released and loaded: org/model."),
    ],
)
def test_what_is_done_at_once_is_told_as_done(
    admin_client: Client,
    entry: ModelEntry,
    running: Running,
    action: str,
    asked: str,
    said: str,
) -> None:
    assert messages_of(act(admin_client, action, entry)) == [said]
    assert running.service.asked == [(asked, entry.key)]


def test_an_unload_waits_for_requests_and_the_page_does_not(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    running.hold(entry.key)
    assert messages_of(act(admin_client, "unload", entry)) == [
        "Unloading, once its requests have ended: org/model."
    ]
    running.let_go(entry.key)


@pytest.mark.usefixtures("_patient")
def test_a_pin_is_kept_and_holds_at_once(
    admin_client: Client, shelf: Shelf, entry: ModelEntry, running: Running
) -> None:
    other = ModelEntry.objects.entry_for("not/loaded", source="x")
    running.service.put(entry.key, ModelState.READY)
    text = act(admin_client, "pin", entry, other)
    assert messages_of(text) == ["Pinned: not/loaded, org/model."]
    assert cell(text, "pinned", entry.key) == "pinned"
    assert cell(text, "pinned", other.key) == "pinned"
    assert set(ModelEntry.objects.values_list("pin", flat=True)) == {True}
    text = act(admin_client, "unpin", entry)
    assert cell(text, "pinned", entry.key) == "\N{EN DASH}"
    entry.refresh_from_db()
    assert entry.pin is False


@pytest.mark.usefixtures("_patient")
def test_a_bug_in_the_service_breaks_no_page(
    admin_client: Client, entry: ModelEntry, running: Running, caplog: Any
) -> None:
    running.service.errors[entry.key] = RuntimeError("boom")
    assert messages_of(act(admin_client, "load", entry)) == [
        "Not done with org/model: It failed; the log says why."
    ]
    assert "boom" in caplog.text


def test_without_a_service_nothing_begins(
    admin_client: Client, entry: ModelEntry
) -> None:
    assert messages_of(act(admin_client, "load", entry)) == [
        "No model service runs in this process."
    ]
    assert messages_of(act(admin_client, "pin", entry)) == ["Pinned: org/model."]


def test_who_may_only_look_can_begin_nothing(
    client: Client,
    entry: ModelEntry,
    running: Running,
    django_user_model: type[User],
) -> None:
    from django.contrib.auth.models import Permission

    viewer = django_user_model.objects.create_user("ben", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_modelentry"))
    client.force_login(viewer)
    running.service.put(entry.key, ModelState.UNLOADED)
    act(client, "load", entry)
    assert running.service.asked == []
    assert 'value="load"' not in page(client, change(entry))
    assert client.get(STATES).status_code == 200


def test_the_page_offers_what_fits_the_state(
    admin_client: Client, entry: ModelEntry, running: Running
) -> None:
    for state, fitting in (
        (ModelState.UNLOADED, {"load"}),
        (ModelState.READY, {"unload", "unload_now"}),
        (ModelState.QUARANTINED, {"release"}),
    ):
        running.service.put(entry.key, state)
        text = page(admin_client, change(entry))
        offered = re.findall(r'<button name="action" value="(\w+)"([^>]*)>', text)
        assert {name for name, rest in offered if "hidden" not in rest} == fitting


# --- versions


def test_an_older_version_may_go_on_writing_entries(shelf: Shelf) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inference_modelentry (key, source, kind, created_at, "
            "updated_at) VALUES ('old', 'x', 'lm', %s, %s)",
            [timezone.now(), timezone.now()],
        )
    assert ModelEntry.objects.get(key="old").to_options() == ModelOptions(kind="lm")


def test_the_next_start_keeps_what_staff_set(shelf: Shelf) -> None:
    entry = ModelEntry.objects.entry_for("m", source="/a")
    entry.temperature, entry.trust_code = 0.5, True
    entry.save()
    same = ModelEntry.objects.entry_for("m", source="/a")
    assert (same.temperature, same.trust_code) == (0.5, True)
    moved = ModelEntry.objects.entry_for("m", source="/b")
    assert (moved.source, moved.temperature, moved.trust_code) == ("/b", 0.5, False)


def test_all_share_one_library(shelf: Shelf) -> None:
    assert shared_library(shelf.config()) is shared_library(shelf.config())
