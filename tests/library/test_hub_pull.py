"""`mlx-server pull`: what a person sees, and what the shell gets."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from inference.library import machine
from inference.library.download_meter import DownloadMeter, ProgressLine, time_in_words
from inference.library.hub import DownloadProgress
from tests.library.fake_hub import FakeHub, use_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

REPO = "org/tiny"
ROOT = Path(__file__).resolve().parents[2]
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


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def pull(*arguments: str) -> tuple[int, str, str]:
    """Run the command here; return its exit code and what it wrote."""
    out, err = StringIO(), StringIO()
    try:
        call_command("pull_model", *arguments, stdout=out, stderr=err)
    except SystemExit as left:
        return int(left.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def start(tmp_path: Path, **more: Any) -> subprocess.Popen[str]:
    """Start `mlx-server pull` as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "mlxsite", "pull", REPO],
        cwd=ROOT,
        env={**os.environ, "MLX_DATA_DIR": str(tmp_path / "data")},
        text=True,
        **more,
    )


def test_it_brings_a_model_and_says_how_to_use_it(
    hub: FakeHub, tiny_model_dir: Path
) -> None:
    code, out, err = pull(REPO)

    assert (code, err) == (0, "")
    first, *progress, size, serve, ask = out.splitlines()
    assert first == "Downloading org/tiny"
    assert progress[0].startswith("0 bytes of 2.25 MB   0 %")
    found = re.fullmatch(r"2\.25 MB in (.+)", size)
    assert found is not None
    assert (Path(found[1]) / "model.safetensors").is_file()
    assert serve == "Serve it: mlx-server launch --model-path org/tiny"
    assert ask == 'Or name it: a running server loads it for "model": "org/tiny"'


def test_what_is_here_is_not_fetched_again(hub: FakeHub) -> None:
    pull(REPO)
    hub.requests.clear()
    code, out, _ = pull(REPO)

    assert code == 0
    assert out.startswith("org/tiny is here already.\n2.25 MB in ")
    assert hub.requests == []


@pytest.mark.parametrize("name", ["tiny", "./folder/", "a/b/c", "https://x/y"])
def test_what_is_no_hub_id_is_one_line(hub: FakeHub, name: str) -> None:
    code, out, err = pull(name)

    assert (code, out) == (2, "")
    assert err == (
        f"error: {name!r} is not the name of a model on a hub: ORG/NAME, such as "
        "mlx-community/Qwen3-4B-4bit\n"
    )
    assert hub.requests == []


def test_an_unknown_model_is_one_line(hub: FakeHub) -> None:
    code, out, err = pull("org/other")

    assert (code, out) == (1, "Downloading org/other\n")
    assert err == (
        "error: no model org/other: the hub does not know it, or it is private "
        "(then set HF_TOKEN)\n"
    )


def test_it_downloads_nothing_where_that_is_switched_off(
    hub: FakeHub, settings
) -> None:
    settings.MLX_ALLOW_DOWNLOAD = "false"
    code, _, err = pull(REPO)

    assert code == 2
    assert err == (
        "error: ALLOW_DOWNLOAD is off: nothing is downloaded. For this once: "
        "ALLOW_DOWNLOAD=1 mlx-server pull org/tiny\n"
    )
    assert hub.requests == []


def test_without_a_name_it_suggests_three_that_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = "inference.management.commands.pull_model"
    monkeypatch.setattr(f"{path}.memory_bytes", lambda: 17_179_869_184)
    monkeypatch.setattr(f"{path}.computes_on_cpu", lambda: False)
    code, out, _ = pull()

    assert code == 0
    assert "This machine has 17.2 GB of memory and computes on its GPU." in out
    assert re.findall(r"mlx-server pull (\S+)", out) == [
        "mlx-community/Qwen3-1.7B-4bit",
        "mlx-community/gemma-3-4b-it-4bit",
        "mlx-community/Qwen3-14B-4bit",
    ]
    assert re.findall(r"(\w+) +about (\S+ \w+)", out) == [
        ("quick", "968 MB"),
        ("balanced", "3.40 GB"),
        ("best", "8.31 GB"),
    ]


def test_it_suggests_something_for_this_very_machine() -> None:
    code, out, _ = pull()

    assert code == 0
    where = "CPU" if machine.computes_on_cpu() else "GPU"
    assert f"computes on its {where}" in out
    assert out.count("mlx-server pull mlx-community/") == 3


def test_a_machine_too_small_for_any_is_told_of_the_built_in_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = "inference.management.commands.pull_model"
    monkeypatch.setattr(f"{path}.memory_bytes", lambda: 500_000_000)

    assert "the built-in one does: mlx-server launch" in pull()[1]


def test_ctrl_c_keeps_what_was_fetched_and_the_next_goes_on(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.hold_after = MEGABYTE
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(tmp_path, **pipes)
    (partial,) = wait_for_partial(process, tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130
    assert err == (
        "Stopped. What was fetched stays: the same command goes on from there.\n"
    )
    assert partial.stat().st_size >= MEGABYTE
    hub.release()
    assert pull(REPO)[0] == 0
    assert hub.large_file_starts[1] >= MEGABYTE


def wait_for_partial(process: subprocess.Popen[str], tmp_path: Path) -> list[Path]:
    """Read its lines until a megabyte is there; return the unfinished file."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("1.05 MB"):
            break
    return list((tmp_path / "home").rglob("*.incomplete"))


def test_on_a_terminal_one_line_rewrites_itself(hub: FakeHub, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as screen:
        process = start(tmp_path, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b"".join(iter(lambda: read_screen(screen), b"")).decode()
        assert process.wait(PATIENCE_S) == 0

    assert "\r0 bytes of 2.25 MB   0 %" in shown
    assert "\r2.25 MB of 2.25 MB   100 %" in shown
    rewritten = shown[: shown.index("2.25 MB in ")].split("\r\n")
    assert len(rewritten) == 3  # what is fetched, the line, and what follows


def read_screen(screen: Any) -> bytes:
    try:
        return screen.read(4096)
    except OSError:  # the other side has closed it
        return b""


def test_the_line_says_how_fast_it_is_and_how_long_still() -> None:
    clock = Clock()
    meter = DownloadMeter(clock=clock)
    gigabyte = 1_000_000_000

    # What an earlier attempt left is no speed.
    first = meter.line(DownloadProgress(gigabyte, 4 * gigabyte))
    assert first == "1.00 GB of 4.00 GB   25 %"
    clock.now += 5
    assert meter.line(DownloadProgress(int(1.5 * gigabyte), 4 * gigabyte)) == (
        "1.50 GB of 4.00 GB   37 %   100 MB/s   25 s left"
    )
    clock.now += 5
    assert meter.line(DownloadProgress(4 * gigabyte, 4 * gigabyte)) == (
        "4.00 GB of 4.00 GB   100 %"
    )


def test_the_speed_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    meter = DownloadMeter(clock=clock)
    line = ""
    for second in range(60):  # ten megabytes a second, then nothing
        clock.now += 1
        line = meter.line(DownloadProgress(min(second, 30) * 10_000_000, 10**9))

    assert line.endswith("30 %   0 bytes/s")


def test_lines_that_stay_come_every_two_seconds_and_only_with_news() -> None:
    clock = Clock()
    written: list[str] = []
    with ProgressLine(written.append, is_terminal=False, clock=clock) as line:
        for _ in range(40):  # ten seconds
            clock.now += 0.25
            line.show(DownloadProgress(int(clock.now * 1000), 10**9))
        assert len(written) == 5
        for _ in range(40):
            clock.now += 0.25
            line.show(DownloadProgress(0, 0))
    assert len(written) == 6
    assert all(text.endswith("\n") for text in written)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.9, "59 s"), (75, "1 min 15 s"), (7500, "2 h 5 min")],
)
def test_a_time_is_said_to_two_units(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words
