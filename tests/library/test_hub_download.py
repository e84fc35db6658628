"""The process that downloads: what it asks a hub for, and how it goes on."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.library.fake_hub import FakeHub
from tests.library.hub_process import PATIENCE_S, REPO, content, fetch, start

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1 << 20


@pytest.fixture
def model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A model's folder that a test may add to."""
    return shutil.copytree(tiny_model_dir, tmp_path / "model")


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    """A hub that has it."""
    with FakeHub({REPO: model}) as hub:
        yield hub


def kill_in_the_middle(hub: FakeHub, tmp_path: Path) -> None:
    """Kill the process once a megabyte of the weights has arrived."""
    hub.faults.hold_after = MEGABYTE
    process = start(hub, tmp_path, REPO)
    while json.loads(process.stdout.readline())["done_bytes"] < MEGABYTE:
        pass
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    hub.release()


def blobs(tmp_path: Path) -> Path:
    return tmp_path / "home" / "hub" / "models--org--tiny" / "blobs"


def test_it_brings_the_whole_model_and_says_how_far_it_is(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    *progress, last = fetch(hub, tmp_path)

    assert content(Path(last["path"])) == content(model)
    total = sum(map(len, content(model).values()))
    assert progress[0] == {"done_bytes": 0, "total_bytes": total}
    assert progress[-1] == {"done_bytes": total, "total_bytes": total}
    done = [line["done_bytes"] for line in progress]
    assert done == sorted(done)


def test_it_fetches_neither_code_nor_pickles_nor_pages(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    for name in ("modeling.py", "pytorch_model.bin", "README.md", "image.png"):
        (model / name).write_bytes(b"nobody wants this")
    with FakeHub({REPO: model}) as hub:
        last = fetch(hub, tmp_path)[-1]

    assert not set(content(Path(last["path"]))) & {"modeling.py", "pytorch_model.bin"}
    assert not [r for r in hub.requests if r.path.endswith((".py", ".bin", ".md"))]


def test_it_goes_on_where_a_killed_download_stopped(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    kill_in_the_middle(hub, tmp_path)
    first, *_, last = fetch(hub, tmp_path)

    assert first["done_bytes"] >= MEGABYTE
    assert content(Path(last["path"])) == content(model)
    begun, gone_on = hub.large_file_starts
    assert begun == 0
    assert gone_on >= MEGABYTE


def test_nothing_of_a_killed_download_looks_like_a_model(
    hub: FakeHub, tmp_path: Path
) -> None:
    kill_in_the_middle(hub, tmp_path)

    assert [file.suffix for file in blobs(tmp_path).iterdir()] == [".incomplete"]
    assert not list((tmp_path / "home").rglob("config.json"))
    assert not list((tmp_path / "home").rglob("main"))


def test_it_goes_on_by_itself_when_the_connection_is_cut(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    hub.faults.cut_after = MEGABYTE
    last = fetch(hub, tmp_path)[-1]

    assert content(Path(last["path"])) == content(model)
    assert len(hub.large_file_starts) == 2
    assert hub.large_file_starts[1] > 0


def test_it_begins_anew_where_a_hub_knows_no_ranges(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    hub.faults.ignores_ranges = True
    kill_in_the_middle(hub, tmp_path)
    last = fetch(hub, tmp_path)[-1]

    assert content(Path(last["path"])) == content(model)


def test_a_damaged_beginning_is_found_out_and_replaced(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    sha256 = hub.files(REPO)["model.safetensors"].sha256
    blobs(tmp_path).mkdir(parents=True)
    (blobs(tmp_path) / f"{sha256}.incomplete").write_bytes(bytes(MEGABYTE))
    last = fetch(hub, tmp_path)[-1]

    assert content(Path(last["path"])) == content(model)
    assert hub.large_file_starts == [MEGABYTE, 0]


def test_a_beginning_longer_than_the_file_is_thrown_away(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    sha256 = hub.files(REPO)["model.safetensors"].sha256
    blobs(tmp_path).mkdir(parents=True)
    (blobs(tmp_path) / f"{sha256}.incomplete").write_bytes(bytes(3 * MEGABYTE))
    last = fetch(hub, tmp_path)[-1]

    assert content(Path(last["path"])) == content(model)


def test_it_keeps_no_file_that_is_not_what_the_hub_describes(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.spoiled = True
    last = fetch(hub, tmp_path)[-1]

    assert last == {
        "error": "org/tiny cannot be fetched: "
        "model.safetensors is not the file that the hub describes"
    }
    assert list(blobs(tmp_path).iterdir()) == []


def test_it_takes_no_more_bytes_than_the_hub_announced(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.claimed_bytes = MEGABYTE
    last = fetch(hub, tmp_path)[-1]

    assert last["error"].endswith("model.safetensors is larger than the hub says")
    assert list(blobs(tmp_path).iterdir()) == []


def test_it_fetches_nothing_that_the_disk_has_no_room_for(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.claimed_bytes = 10**15
    (last,) = fetch(hub, tmp_path)

    assert last["error"].startswith(
        "org/tiny does not fit on the disk: 1,000 TB are to be fetched, and "
    )
    assert hub.bytes_sent == 0


def test_two_processes_fetch_a_file_once(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    hub.faults.hold_after = MEGABYTE
    first, second = (start(hub, tmp_path, REPO) for _ in range(2))
    for process in (first, second):  # both have begun, and see the same progress
        while json.loads(process.stdout.readline())["done_bytes"] < MEGABYTE:
            pass
    hub.release()
    for process in (first, second):
        last = process.communicate(timeout=PATIENCE_S)[0].splitlines()[-1]
        assert content(Path(json.loads(last)["path"])) == content(model)

    assert hub.large_file_starts == [0]


def test_it_ends_when_nobody_reads_what_it_says(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults.hold_after = MEGABYTE
    process = start(hub, tmp_path, REPO)
    assert hub.held.wait(PATIENCE_S)
    process.stdout.close()

    assert process.wait(PATIENCE_S) == 1
    process.stderr.close()
