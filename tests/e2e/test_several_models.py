"""Several models on one server: loaded, unloaded, found on demand, making room."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.servers import Server, wait_until
from tests.library.fake_hub import FakeHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import StartServer

TWENTY = [{"role": "user", "content": "Count to twenty."}]
ESSAY = [{"role": "user", "content": "Tell me everything."}]


def post(server: Server, path: str, **body: Any) -> httpx.Response:
    """Send JSON to a path below /v1; a load may take a while."""
    return httpx.post(f"{server.base_url}/v1/{path}", json=body, timeout=60)


def load_events(server: Server, **body: Any) -> list[dict[str, Any]]:
    """Load a model and return the events of its stream."""
    url = f"{server.base_url}/v1/models/load"
    body |= {"stream": True}
    with httpx.stream("POST", url, json=body, timeout=60) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def card_of(server: Server, key: str) -> dict[str, Any]:
    """Return a model as the list shows it."""
    models = server.get("/v1/models")["data"]
    return next(model for model in models if model["id"] == key)


def events_of(server: Server, key: str, *, count: int = 1) -> list[dict[str, Any]]:
    """Return what happened to a model, once so many events are written."""
    events = [event for event in server.events() if event["model"] == key]
    return events if len(events) >= count else []


def ask(server: Server, model: str, **options: Any) -> Any:
    return server.client().chat.completions.create(
        model=model, messages=TWENTY, **options
    )


def resident_bytes(pid: int) -> int:
    """Return a process's resident memory; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _truncate(folder: Path) -> None:
    weights = next(folder.glob("*.safetensors"))
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)


def _lie_about_shapes(folder: Path) -> None:
    config = folder / "config.json"
    said = json.loads(config.read_text())
    text = said.get("text_config", said)
    text["intermediate_size"] = said["intermediate_size"] = 999
    config.write_text(json.dumps(said))


def _ask_for_code(folder: Path) -> None:
    config = folder / "config.json"
    said = json.loads(config.read_text()) | {"model_file": "evil.py"}
    config.write_text(json.dumps(said))
    marker = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()")


# What is broken, with how it is refused: the status, and a word of the message.
BROKEN: dict[str, tuple[Callable[[Path], Any], int, str]] = {
    "half": (_truncate, 400, "safetensors"),
    "liar": (_lie_about_shapes, 500, "shape"),
    "coder": (_ask_for_code, 400, "model_file"),
    "nameless": (lambda folder: (folder / "config.json").unlink(), 400, "is missing"),
    "unread": (
        lambda folder: (folder / "config.json").write_text("{"),
        400,
        "config.json",
    ),
}


def library_of(folder: Path, model: Path, *names: str) -> Path:
    """Make a folder of copies of a model, to be told to servers as MODEL_DIRS."""
    for name in names:
        shutil.copytree(model, folder / name)
    return folder


@pytest.fixture
def library(tmp_path: Path, tiny_model_dir: Path) -> Path:
    """A folder with three models."""
    return library_of(tmp_path / "library", tiny_model_dir, "alpha", "beta", "gamma")


@pytest.fixture(scope="module")
def shelf(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good model and some that are broken, each in its own way."""
    folder = tmp_path_factory.mktemp("shelf")
    library_of(folder, tiny_model_dir, "alpha", *BROKEN)
    for name, (damage, *_) in BROKEN.items():
        damage(folder / name)
    return folder


@pytest.fixture(scope="module")
def keeper(
    tiny_model_dir: Path,
    smollm2_dir: Path,
    shelf: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server that loads what is on the shelf when it is told to, and nothing else."""
    running = Server(
        tmp_path_factory.mktemp("keeper") / "data",
        tiny_model_dir,
        MODEL_DIRS=f"{shelf},{smollm2_dir}",
        ALLOW_DOWNLOAD="0",
    )
    yield running.wait_ready()
    running.kill()


@pytest.fixture(scope="module")
def pair(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with one model under two keys."""
    server = Server(
        tmp_path_factory.mktemp("pair") / "data",
        tiny_model_dir,
        *("--model-path", f"second={tiny_model_dir}"),
    )
    yield server.wait_ready()
    server.kill()


# --- served side by side


def test_it_answers_under_each_key_and_counts_apart(pair: Server) -> None:
    first, second = ask(pair, "tiny-qwen2-vl"), ask(pair, "second")
    assert first.model == "tiny-qwen2-vl"
    assert second.model == "second"
    assert first.choices[0].message.content == second.choices[0].message.content
    models = {row["model"] for row in pair.wait_rows(2).values()}
    assert models == {"tiny-qwen2-vl", "second"}


def test_it_says_what_each_model_is(pair: Server) -> None:
    card = wait_until(
        lambda: (c := card_of(pair, "second"))["memory_bytes"] and c, "a heartbeat"
    )
    assert card["state"] == "ready"
    assert card["capabilities"] == ["text", "vision"]
    assert card["size_bytes"] > 1_000_000
    assert card["memory_bytes"] >= card["size_bytes"]
    assert card["context_length"] == 2048
    assert card["loaded_at"] > 1.7e9
    assert card["pinned"] is False


def test_the_first_model_answers_those_who_name_none(pair: Server) -> None:
    body = {"messages": TWENTY}
    assert post(pair, "chat/completions", **body).json()["model"] == "tiny-qwen2-vl"


def test_a_loaded_model_is_not_loaded_again(pair: Server) -> None:
    answer = post(pair, "models/load", model="second")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "model_already_loaded"
    assert error["message"] == "The model `second` is loaded already."
    assert ask(pair, "second").choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": 7}, "model"),
        ({"model": "x" * 5000}, "model"),
        ({"model": "second", "key": "../../etc"}, "key"),
        ({"model": "second", "model_type": "gpt"}, "model_type"),
        ({"model": "second", "ttl_s": -1}, "ttl_s"),
        ({"model": "second", "ttl_s": "1h"}, "ttl_s"),
        ({"model": "second", "pin": "yes"}, "pin"),
        ({"model": "second", "quantise": 4}, "quantise"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused_by_field(
    pair: Server, body: dict[str, Any], param: str
) -> None:
    answer = post(pair, "models/load", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    row = pair.rows().get(answer.headers["x-request-id"])
    assert row is None or row["outcome"] == "invalid"


def test_it_loads_no_folder_outside_its_library(pair: Server, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    answer = post(pair, "models/load", model=str(tmp_path))
    assert answer.status_code == 400
    assert "MODEL_DIRS" in answer.json()["error"]["message"]


def test_it_downloads_nothing_for_an_inference_request(pair: Server) -> None:
    answer = post(pair, "chat/completions", model="nobody/nothing", messages=TWENTY)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_it_refuses_a_download_by_name_where_none_is_allowed(keeper: Server) -> None:
    answer = post(keeper, "models/load", model="nobody/nothing")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "download_not_allowed"
    assert "ALLOW_DOWNLOAD" in answer.json()["error"]["message"]


# --- loaded and unloaded


def test_it_loads_a_model_and_streams_how_far_it_is(keeper: Server) -> None:
    server = keeper
    assert card_of(server, "alpha")["state"] == "unloaded"
    steps = load_events(server, model="alpha", key="a", pin=True)
    assert steps[0]["stage"] == "making_room"
    loading = [step for step in steps if step.get("stage") == "loading"]
    assert loading[-1]["done_bytes"] == loading[-1]["total_bytes"] > 1_000_000
    assert steps[-1]["id"] == "a"
    assert steps[-1]["state"] == "ready"
    assert card_of(server, "a")["pinned"] is True
    assert ask(server, "a").choices[0].finish_reason == "stop"

    answer = post(server, "models/unload", key="a", force=True)
    assert answer.json()["state"] == "unloaded"
    assert post(server, "models/unload", key="a").json()["error"]["code"] == (
        "model_not_loaded"
    )
    events = wait_until(lambda: events_of(server, "a", count=2), "both events")
    assert [event["kind"] for event in events] == ["model_load", "model_unload"]
    assert events[1]["detail"] == "by force"


def test_an_unload_waits_for_what_runs(
    start_server: StartServer, rambler_dir: Path, tiny_model_dir: Path
) -> None:
    server = start_server(
        tiny_model_dir, "--model-path", f"rambler={rambler_dir}"
    ).wait_ready()
    (pid,) = _pids_of(server, "rambler")
    held = resident_bytes(pid)
    assert held > 50_000_000
    stream = server.client().chat.completions.create(
        model="rambler",
        messages=ESSAY,
        max_tokens=400,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    next(iter(stream))
    answers: list[httpx.Response] = []
    unload = threading.Thread(
        target=lambda: answers.append(post(server, "models/unload", key="rambler"))
    )
    unload.start()
    last = [chunk for chunk in stream if chunk.choices][-1]
    assert last.choices[0].finish_reason == "length"
    unload.join()
    assert answers[0].json()["state"] == "unloaded"
    wait_until(lambda: not resident_bytes(pid), "the memory given back")


def test_a_model_nobody_uses_is_unloaded_after_its_time(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir, MODEL_TTL="0.5").wait_ready()
    wait_until(
        lambda: card_of(server, "tiny-qwen2-vl")["state"] == "unloaded", "the unload"
    )
    events = wait_until(
        lambda: [e for e in server.events() if e["kind"] == "model_unload"], "the event"
    )
    assert events[0]["detail"] == "unused for 0.5 s"


def test_it_starts_with_the_models_that_can_be_loaded(
    start_server: StartServer, tiny_model_dir: Path, library: Path
) -> None:
    _truncate(library / "beta")
    server = start_server(
        tiny_model_dir, "--model-path", str(library / "beta")
    ).wait_ready()
    assert "2 of 2: beta is not served" in server.output()
    assert card_of(server, "beta")["state"] == "failed"
    assert ask(server, "tiny-qwen2-vl").choices[0].finish_reason == "stop"


# --- room


def test_idle_models_make_room_for_one_that_is_asked(
    start_server: StartServer, tiny_model_dir: Path, library: Path
) -> None:
    size = sum(f.stat().st_size for f in tiny_model_dir.glob("*.safetensors"))
    server = start_server(
        library / "alpha",
        *("--model-path", str(library / "beta")),
        MODEL_DIRS=str(library),
        # Two of them: prompts need a little too.
        MEMORY_BUDGET=str(int(2.3 * size)),
    ).wait_ready()
    for _ in range(3):
        for name in ("alpha", "beta", "gamma"):
            assert ask(server, name).choices[0].finish_reason == "stop"
    rows = server.wait_rows(9).values()
    assert {row["outcome"] for row in rows} == {"finished"}
    events = wait_until(
        lambda: (e := server.events()) and len(e) >= 17 and e, "16 events and the start"
    )
    evicted = [e for e in events if e["kind"] == "model_evict"]
    # The first two fit; each that was asked later had to be brought back.
    assert len(evicted) == 7
    for event in evicted:
        assert json.loads(event["data"])["freed_bytes"] > 1_000_000
        assert event["detail"].startswith("to make room for ")
    loads = [e for e in events if e["kind"] == "model_load"]
    assert len(loads) == 9
    assert all(json.loads(e["data"])["wall_s"] > 0 for e in loads)
    ready = [m for m in server.get("/v1/models")["data"] if m["state"] == "ready"]
    assert len(ready) == 2


# --- what breaks


def _pids_of(server: Server, key: str) -> list[int]:
    loads = wait_until(
        lambda: [
            json.loads(event["data"])["pid"]
            for event in server.events()
            if event["model"] == key
            and event["kind"] in {"model_load", "worker_restart"}
        ],
        f"the load of {key}",
    )
    return loads[-1:]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_refused_and_disturbs_nobody(
    keeper: Server, shelf: Path, name: str
) -> None:
    _, status, words = BROKEN[name]
    before = keeper.count_rows()
    answers: list[Any] = []
    quiet = threading.Event()

    def keep_asking() -> None:
        while not quiet.is_set():
            answers.append(ask(keeper, "tiny-qwen2-vl"))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    wait_until(lambda: answers, "an answer")
    refused = post(keeper, "models/load", model=name)
    quiet.set()
    asking.join()
    assert refused.status_code == status, refused.text
    assert words in refused.json()["error"]["message"]
    assert answers
    assert {answer.choices[0].finish_reason for answer in answers} == {"stop"}
    assert not (shelf / name / "ran").exists()
    rows = keeper.wait_rows(before + len(answers) + 1)
    row = rows[refused.headers["x-request-id"]]
    assert row["outcome"] in {"invalid", "failed"}


@pytest.mark.slow
def test_a_worker_killed_while_it_loads_is_a_clear_error(
    keeper: Server, smollm2_dir: Path
) -> None:
    server = keeper
    before = set(server.worker_pids())
    answers: list[httpx.Response] = []
    loading = threading.Thread(
        target=lambda: answers.append(
            post(server, "models/load", model=str(smollm2_dir), key="big")
        )
    )
    loading.start()
    (new,) = wait_until(lambda: set(server.worker_pids()) - before, "a new worker")
    os.kill(new, signal.SIGKILL)
    loading.join()
    assert answers[0].status_code == 500
    assert "killed by SIGKILL" in answers[0].json()["error"]["message"]
    assert ask(server, "tiny-qwen2-vl").choices[0].finish_reason == "stop"
    # Nothing is left of it: the next load works.
    assert post(server, "models/load", model=str(smollm2_dir), key="big").is_success
    assert post(server, "models/unload", key="big").is_success


# --- the promises in numbers


@pytest.mark.slow
def test_three_models_answer_thirty_requests_each_its_own(
    start_server: StartServer, tiny_model_dir: Path, smollm2_dir: Path
) -> None:
    server = start_server(
        smollm2_dir,
        *("--model-path", str(tiny_model_dir)),
        *("--model-path", f"tiny={tiny_model_dir}"),
    ).wait_ready()
    names = [smollm2_dir.name, tiny_model_dir.name, "tiny"]

    async def ask_all() -> list[Any]:
        async with server.async_client() as client:
            return await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=names[n % 3],
                        messages=TWENTY,
                        max_tokens=24,
                        temperature=0,
                    )
                    for n in range(30)
                )
            )

    answers = asyncio.run(ask_all())
    assert [answer.model for answer in answers] == [names[n % 3] for n in range(30)]
    texts = [{a.choices[0].message.content for a in answers[n::3]} for n in range(3)]
    assert [len(text) for text in texts] == [1, 1, 1]
    assert texts[1] == texts[2] != texts[0]
    rows = server.wait_rows(30).values()
    assert {row["outcome"] for row in rows} == {"finished"}


@pytest.mark.slow
@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.endurance)])
def test_loads_and_unloads_leave_nothing_behind(
    times: int, start_server: StartServer, tiny_model_dir: Path, library: Path
) -> None:
    server = start_server(
        tiny_model_dir, MODEL_DIRS=str(library), SPARE_WORKER="1"
    ).wait_ready()

    def cycle() -> None:
        assert post(server, "models/load", model="alpha").is_success
        assert ask(server, "alpha", max_tokens=2).choices
        assert post(server, "models/unload", key="alpha").is_success

    def spare_is_there() -> bool:
        return len(server.worker_pids()) == 2

    # The first ones fill what is kept between them.
    for _ in range(2):
        cycle()
    wait_until(spare_is_there, "the next spare worker")
    memory, files = server.resident_bytes(), server.open_files()
    for _ in range(times - 2):
        cycle()
    wait_until(spare_is_there, "the next spare worker")
    assert server.resident_bytes() < memory + 15_000_000
    wait_until(lambda: server.open_files() <= files + 4, "no more files than before")


# --- fetched


@pytest.fixture(scope="module")
def hub(tiny_model_dir: Path) -> Iterator[FakeHub]:
    """A hub with one model."""
    with FakeHub({"org/tiny": tiny_model_dir}) as hub:
        yield hub


@pytest.fixture(scope="module")
def fetcher(
    tiny_model_dir: Path, hub: FakeHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that may fetch models."""
    folder = tmp_path_factory.mktemp("fetcher")
    running = Server(folder / "data", tiny_model_dir, **hub.environment(folder / "hub"))
    yield running.wait_ready()
    running.kill()


def test_a_load_may_fetch_the_model_and_a_question_may_not(
    fetcher: Server, hub: FakeHub
) -> None:
    asked = post(fetcher, "chat/completions", model="org/tiny", messages=TWENTY)
    assert asked.status_code == 404
    assert not hub.requests

    steps = load_events(fetcher, model="org/tiny")
    stages = list(dict.fromkeys(step.get("stage") for step in steps))
    assert stages == ["downloading", "making_room", "loading", None]
    fetched = [step for step in steps if step.get("stage") == "downloading"]
    assert fetched[-1]["done_bytes"] == fetched[-1]["total_bytes"] > 2_000_000
    assert ask(fetcher, "org/tiny").choices[0].finish_reason == "stop"
    assert card_of(fetcher, "org/tiny")["source"] == "org/tiny"


def test_a_model_the_hub_does_not_have_is_a_clear_error(fetcher: Server) -> None:
    before = fetcher.count_rows()
    answer = post(fetcher, "models/load", model="org/gone")
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "download_failed"
    assert "org/gone" in answer.json()["error"]["message"]
    row = fetcher.wait_rows(before + 1)[answer.headers["x-request-id"]]
    assert (row["outcome"], row["reason"]) == ("failed", "download_failed")
