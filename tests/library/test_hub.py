"""Models of a hub as the server gets them: shared, cancelled, already there."""

from __future__ import annotations

import asyncio
import errno
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from inference.library.hub import Downloads, HubError, cached, download, is_hub_id
from inference.library.hub_errors import explain
from mlxsite.startup.errors import StartupError
from mlxsite.startup.hub import fetch_from_hub
from tests.library.fake_hub import FakeHub, use_hub

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterator
    from pathlib import Path

    from inference.library.hub import DownloadProgress

REPO = "org/tiny"
MEGABYTE = 1 << 20
PATIENCE_S = 60


@pytest.fixture
def hub(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeHub]:
    """The only hub there is, and an empty cache."""
    with FakeHub({REPO: tiny_model_dir}) as hub:
        use_hub(hub, tmp_path / "home", monkeypatch)
        yield hub


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that were started."""
    started = []
    start = asyncio.create_subprocess_exec

    async def note(*arguments: Any, **options: Any) -> Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", note)
    return started


class Watcher:
    """Hears of the progress; `far` is set once a megabyte is there."""

    def __init__(self) -> None:
        self.seen: list[DownloadProgress] = []
        self.far = asyncio.Event()

    def __call__(self, progress: DownloadProgress) -> None:
        self.seen.append(progress)
        if progress.done_bytes >= MEGABYTE:
            self.far.set()


async def begin(downloads: Downloads) -> tuple[asyncio.Task[Path], Watcher]:
    """Begin a download that a hub holds, and wait until it is on its way."""
    watcher = Watcher()
    task = asyncio.create_task(downloads.download(REPO, on_progress=watcher))
    async with asyncio.timeout(PATIENCE_S):
        await watcher.far.wait()
    return task, watcher


async def cancel(task: asyncio.Task[Path]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("text", ["org/name", "mlx-community/Qwen3-0.6B-4bit", "a/b"])
def test_a_name_with_an_owner_is_a_hub_id(text: str) -> None:
    assert is_hub_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "name", "a/b/c", "/a", "a/", "../a", "a/..", "a/b..c", "a/b--c"),
        *("-a/b", "a/-b", "a/b.git", "a b/c", "ä/b", "a/b\n", "a/" + "b" * 97),
    ],
)
def test_what_no_hub_would_name_a_model_is_no_hub_id(text: str) -> None:
    assert not is_hub_id(text)


async def test_it_downloads_a_model_and_tells_how_far_it_is(
    hub: FakeHub, tiny_model_dir: Path
) -> None:
    watcher = Watcher()
    path = await download(REPO, on_progress=watcher)

    assert content(path) == content(tiny_model_dir)
    assert watcher.seen[0].done_bytes == 0
    assert watcher.seen[-1].done_bytes == watcher.seen[-1].total_bytes > 2 * MEGABYTE


async def test_a_complete_model_costs_no_request(
    hub: FakeHub, processes: list[Process]
) -> None:
    first = await download(REPO)
    hub.requests.clear()

    assert await download(REPO) == first == cached(REPO)
    assert hub.requests == []
    assert len(processes) == 1


async def test_half_a_model_is_not_there(hub: FakeHub) -> None:
    assert cached(REPO) is None
    path = await download(REPO)
    (path / "tokenizer.json").unlink()

    assert cached(REPO) is None
    assert await download(REPO) == path
    assert (path / "tokenizer.json").is_file()


async def test_two_who_want_one_model_share_a_download(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.hold_after = MEGABYTE
    downloads = Downloads()
    first, _ = await begin(downloads)
    second, watcher = await begin(downloads)
    hub.release()

    assert await first == await second
    assert len(processes) == 1
    assert hub.large_file_starts == [0]
    assert watcher.seen[-1].done_bytes == watcher.seen[-1].total_bytes


async def test_who_leaves_a_shared_download_leaves_it_to_the_other(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.hold_after = MEGABYTE
    downloads = Downloads()
    first, _ = await begin(downloads)
    second, _ = await begin(downloads)
    await cancel(first)
    hub.release()

    assert (await second / "model.safetensors").is_file()
    assert len(processes) == 1


async def test_the_last_who_leaves_ends_the_process(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.hold_after = MEGABYTE
    downloads = Downloads()
    first, _ = await begin(downloads)
    second, _ = await begin(downloads)
    await cancel(first)
    assert processes[0].returncode is None
    await cancel(second)

    assert processes[0].returncode == -signal.SIGKILL


async def test_a_download_that_was_cancelled_goes_on_next_time(hub: FakeHub) -> None:
    hub.faults.hold_after = MEGABYTE
    downloads = Downloads()
    task, _ = await begin(downloads)
    await cancel(task)
    hub.release()
    await downloads.download(REPO)

    begun, gone_on = hub.large_file_starts
    assert (begun, gone_on >= MEGABYTE) == (0, True)


async def test_closing_ends_all_downloads_and_says_so(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.hold_after = MEGABYTE
    downloads = Downloads()
    task, _ = await begin(downloads)
    await downloads.close()

    with pytest.raises(HubError, match="the download was stopped"):
        await task
    assert processes[0].returncode == -signal.SIGKILL


async def test_a_failed_download_is_told_to_all_and_can_be_tried_again(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.gated.add(REPO)
    downloads = Downloads()
    both = [downloads.download(REPO) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    hub.faults.gated.clear()

    assert [type(error) for error in results] == [HubError, HubError]
    assert "is gated" in str(results[0])
    assert len(processes) == 1
    assert (await downloads.download(REPO)).is_dir()


async def test_a_process_that_dies_is_an_error_with_its_last_words(
    hub: FakeHub, processes: list[Process]
) -> None:
    hub.faults.hold_after = MEGABYTE
    task, _ = await begin(Downloads())
    processes[0].kill()

    with pytest.raises(HubError, match="the download ended early"):
        await task


async def test_it_needs_no_network_to_refuse_a_wrong_name(
    processes: list[Process],
) -> None:
    with pytest.raises(HubError, match=r"'\.\./x' is not the name of a model"):
        await download("../x")
    assert processes == []


async def test_it_runs_our_own_package_wherever_it_is_started(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "elsewhere"
    (foreign / "inference").mkdir(parents=True)
    (foreign / "inference" / "__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(foreign)

    assert (await download(REPO)).is_dir()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full; what was fetched stays"),
        (errno.EDQUOT, "is full; what was fetched stays"),
        (errno.EACCES, "cannot be written to"),
        (errno.EROFS, "cannot be written to"),
    ],
)
def test_a_disk_that_takes_no_more_is_said_with_its_place(
    hub: FakeHub, tmp_path: Path, number: int, words: str
) -> None:
    line = explain(OSError(number, "no"), REPO)

    assert line.startswith(REPO)
    assert line.endswith(words)
    assert str(tmp_path / "home" / "hub") in line


async def test_a_model_that_other_programs_fetched_is_found(
    hub: FakeHub, tiny_model_dir: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "home" / "hub" / "models--org--tiny" / "snapshots" / "ab12"
    shutil.copytree(tiny_model_dir, snapshot)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("ab12")

    assert await download(REPO) == snapshot
    assert hub.requests == []


def test_a_start_fetches_the_model_it_is_asked_for(
    hub: FakeHub, tiny_model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fetch_from_hub(REPO)
    said = capsys.readouterr().err
    hub.requests.clear()

    assert content(path) == content(tiny_model_dir)
    assert said.startswith("Fetching org/tiny from the hub\n0 bytes of 2.25 MB")
    assert (fetch_from_hub(REPO), hub.requests) == (path, [])


def test_a_start_that_gets_no_model_says_why(hub: FakeHub) -> None:
    with pytest.raises(StartupError, match="no such folder here, and no model org/x: "):
        fetch_from_hub("org/x")
