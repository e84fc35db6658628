"""Every way a request can end: the client's view, the seat, and the row agree."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.e2e.servers import PATIENCE_S, SOON_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.e2e.servers import Server

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "Hello"}]
ENDLESS = {"messages": HELLO, "temperature": 0, "max_tokens": 100_000}


def is_running(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be reaped."""
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    )
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


async def first_chunk(stream: Any) -> Any:
    return await anext(aiter(stream))


async def open_streams(client: openai.AsyncOpenAI, count: int) -> list[Any]:
    """Start endless streams and return them once each has begun to answer."""
    streams = await asyncio.gather(
        *(
            client.chat.completions.create(model="rambler", stream=True, **ENDLESS)
            for _ in range(count)
        )
    )
    await asyncio.gather(*(first_chunk(stream) for stream in streams))
    return list(streams)


async def how_it_ends(stream: Any) -> str:
    try:
        async for _ in stream:
            pass
    except openai.APIError as error:
        return str(error.code or error.message)
    except httpx.HTTPError as error:
        return type(error).__name__
    return "ended"


async def test_it_frees_the_seat_of_a_client_that_hangs_up_while_streaming(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    for stream in await open_streams(rambler_server.async_client(), 3):
        await stream.close()
    rambler_server.wait_idle()
    rows = list(rambler_server.wait_rows(before + 3).values())[before:]
    assert {(r["outcome"], r["phase"], r["http_status"]) for r in rows} == {
        ("cancelled", "decode", 499)
    }
    assert all(row["completion_tokens"] > 0 for row in rows)


async def test_it_frees_the_seat_of_a_client_that_hangs_up_while_waiting_for_all(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    client = rambler_server.async_client()
    asking = asyncio.create_task(
        client.chat.completions.create(model="rambler", **ENDLESS)
    )

    def is_active() -> bool:
        stats = rambler_server.get("/v1/queue/stats")["queue_stats"]
        return bool(stats["active_requests"] == 1)

    await asyncio.to_thread(wait_until, is_active, "the request to run")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.to_thread(rambler_server.wait_idle)
    row = list(rambler_server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["reason"]) == ("cancelled", "client_disconnected")


async def test_it_frees_the_seat_of_a_client_that_hangs_up_during_prefill(
    rambler_server: Server,
) -> None:
    before = rambler_server.count_rows()
    long = [{"role": "user", "content": "one two three four five " * 25_000}]
    asking = asyncio.create_task(
        rambler_server.async_client().chat.completions.create(
            model="rambler", messages=long, stream=True, max_tokens=5
        )
    )

    def is_active() -> bool:
        stats = rambler_server.get("/v1/queue/stats")["queue_stats"]
        return bool(stats["active_requests"] == 1)

    await asyncio.to_thread(wait_until, is_active, "the request to run")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.to_thread(rambler_server.wait_idle, SOON_S)
    row = list(rambler_server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["phase"]) == ("cancelled", "prefill")
    assert row["prompt_tokens"] > 100_000


async def test_it_says_503_when_the_queue_timeout_passes_and_504_for_the_whole(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(
        rambler_dir,
        *("--max-concurrency", "1", "--queue-timeout", "0.3"),
        *("--request-timeout", "6"),
    ).wait_ready()
    client = server.async_client()
    (running,) = await open_streams(client, 1)
    with pytest.raises(openai.APIStatusError) as refusal:
        await client.chat.completions.create(model="rambler", **ENDLESS)
    assert (refusal.value.status_code, refusal.value.code) == (503, "queue_timeout")
    assert await how_it_ends(running) == "request_timeout"
    with pytest.raises(openai.APIStatusError) as timeout:
        await client.chat.completions.create(model="rambler", **ENDLESS)
    assert (timeout.value.status_code, timeout.value.code) == (504, "request_timeout")
    rows = server.wait_rows(3).values()
    assert [(r["outcome"], r["phase"], r["http_status"]) for r in rows] == [
        ("timed_out", "decode", 504),
        ("timed_out", "queued", 503),
        ("timed_out", "decode", 504),
    ]


async def test_it_tells_every_stream_when_its_worker_is_killed_and_answers_the_next(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir).wait_ready()
    client = server.async_client()
    streams = await open_streams(client, 8)
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGKILL)
    ends = await asyncio.gather(*(how_it_ends(stream) for stream in streams))
    assert ends == ["worker_died"] * 8
    answer = await client.chat.completions.create(
        model="rambler", messages=HELLO, max_tokens=5
    )
    assert answer.choices[0].finish_reason in {"stop", "length"}
    rows = list(server.wait_rows(9).values())
    assert [(r["outcome"], r["reason"]) for r in rows[:8]] == [
        ("failed", "worker_died")
    ] * 8
    assert rows[8]["outcome"] == "finished"
    kinds = [event["kind"] for event in server.events()]
    assert kinds == ["server_start", "model_load", "worker_died", "worker_restart"]


def test_it_says_so_when_the_folder_of_a_model_has_vanished(
    start_server: StartServer, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "here-today"
    shutil.copytree(tiny_model_dir, folder)
    server = start_server(folder).wait_ready()
    folder.rename(tmp_path / "gone")
    (worker,) = server.worker_pids()
    os.kill(worker, signal.SIGKILL)

    told = f"its folder {folder} is not there any more"
    wait_until(lambda: told in server.output(), "the reason")

    assert "Repo id" not in server.output()


async def test_it_leaves_no_process_behind_when_the_server_is_killed(
    start_server: StartServer, rambler_dir: Path
) -> None:
    server = start_server(rambler_dir).wait_ready()
    await open_streams(server.async_client(), 8)
    workers = server.worker_pids()
    assert workers
    server.kill()
    wait_until(
        lambda: not any(is_running(pid) for pid in workers), "the end of the worker"
    )
    # What was running is accounted for by the next start.
    again = start_server(rambler_dir).wait_ready()
    rows = list(again.wait_rows(8).values())
    assert {(r["outcome"], r["reason"]) for r in rows} == {("interrupted", "crash")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_it_lets_streams_end_when_it_is_told_to_stop(
    start_server: StartServer, rambler_dir: Path, number: signal.Signals
) -> None:
    # Where the tests run under nohup, so would the server: it would stay.
    inherited = signal.signal(number, signal.SIG_DFL)
    try:
        server = start_server(rambler_dir, "--drain-timeout", "30")
    finally:
        signal.signal(number, inherited)
    server.wait_ready()
    create = server.async_client().chat.completions.create
    body = dict(ENDLESS, max_tokens=300)
    streams = await asyncio.gather(
        *(create(model="rambler", stream=True, **body) for _ in range(8))
    )
    server.process.send_signal(number)
    ends = await asyncio.gather(*(how_it_ends(stream) for stream in streams))
    assert ends == ["ended"] * 8
    assert server.process.wait(PATIENCE_S) == 0
    rows = server.rows().values()
    assert [(r["outcome"], r["completion_tokens"]) for r in rows] == [
        ("finished", 300)
    ] * 8
    assert server.events()[-1]["kind"] == "server_stop"


def test_one_signal_while_a_model_loads_is_no_second_one(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir).wait_listening()

    assert server.stop() == 0

    assert "Second signal" not in server.output()
    assert "is not served" not in server.output()


def test_it_ends_with_one_line_and_code_2_when_the_only_model_is_broken(
    start_server: StartServer, tiny_model_dir: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_model_dir.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    server = start_server(broken)
    assert server.process.wait(PATIENCE_S) == 2
    server.stop()
    assert "cannot be loaded" in server.output()
    assert "Traceback" not in server.output()


def test_it_keeps_its_totals_over_a_restart(
    start_server: StartServer, tiny_model_dir: Path
) -> None:
    server = start_server(tiny_model_dir).wait_ready()
    client = server.client()
    client.chat.completions.create(model="tiny-qwen2-vl", messages=HELLO)
    list(
        client.chat.completions.create(
            model="tiny-qwen2-vl", messages=HELLO, stream=True
        )
    )
    before = server.get("/v1/queue/stats")["metrics"]
    assert server.stop() == 0
    again = start_server(tiny_model_dir).wait_ready()
    after = again.get("/v1/queue/stats")["metrics"]
    assert after.pop("performance") == pytest.approx(before.pop("performance"))
    assert after.pop("total_time") == pytest.approx(before.pop("total_time"))
    assert after == before
    assert before["request_types"] == {
        "text": 1,
        "text_stream": 1,
        "vision": 0,
        "vision_stream": 0,
    }
