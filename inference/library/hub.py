"""Models of a hub: from this machine's cache, or downloaded into it.

The download is a process of its own (`hub_download`): it can be killed at any
moment, and what it blocks on is no business of the event loop's.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inference.core.child_processes import kill
from inference.library.files import (
    is_adapter,
    missing_from_adapter,
    missing_from_model,
)
from inference.library.hub_reports import (
    PATTERNS,
    DownloadProgress,
    Fetched,
    HubRefusal,
    read_report,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable

    OnProgress = Callable[[DownloadProgress], None]

__all__ = ["DownloadProgress", "Downloads", "HubError", "cached", "download"]

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_HUB_ID = re.compile(f"{_PART}/{_PART}")
_SOURCE_ROOT = Path(__file__).resolve().parents[2]
_LAST_WORDS_BYTES = 4096
_WORDS_LIMIT = 300


class HubError(ValueError):
    """The hub does not give a model; the message is one line for a user."""


def is_hub_id(text: str) -> bool:
    """Whether the text can be the name of a model on a hub: `org/name`."""
    return (
        _HUB_ID.fullmatch(text) is not None
        and "--" not in text
        and ".." not in text
        and not text.endswith(".git")
    )


def cached(repo_id: str) -> Path | None:
    """Return the folder of a model that lies complete in the hub's cache.

    Nothing is asked of the network. Reads the disk, and imports huggingface_hub
    the first time: not for the event loop.
    """
    from huggingface_hub import snapshot_download

    try:
        found = Path(
            snapshot_download(repo_id, allow_patterns=PATTERNS, local_files_only=True)
        )
        missing = missing_from_adapter if is_adapter(found) else missing_from_model
        return found if missing(found) is None else None
    except (OSError, ValueError):
        return None


async def download(repo_id: str, *, on_progress: OnProgress | None = None) -> Path:
    """Return the folder of a hub model, fetching what is missing of it.

    A complete one costs no request. Cancelled, it leaves what it got: the next
    download goes on from there. `on_progress` must not raise.

    Raises:
        HubError: the hub does not give it, or it is no model that can be loaded.
    """
    if not is_hub_id(repo_id):
        raise HubError(f"{repo_id!r} is not the name of a model on a hub (org/name)")
    found = await asyncio.to_thread(cached, repo_id)
    if found is not None:
        return found
    process = await _start(repo_id)
    try:
        return await _result_of(process, repo_id, on_progress)
    finally:
        await _end(process)


class Downloads:
    """Owns the downloads that run; those who want the same model share one."""

    def __init__(self) -> None:
        self._running: dict[str, _Shared] = {}

    async def download(
        self, repo_id: str, *, on_progress: OnProgress | None = None
    ) -> Path:
        """Do what `download` does, together with whoever waits for the same model.

        The download ends when the last who waits for it is cancelled.

        Raises:
            HubError: as `download`, or `close` was called meanwhile.
        """
        shared = self._running.get(repo_id)
        if shared is None:
            shared = self._running[repo_id] = _Shared(repo_id)
            shared.task.add_done_callback(lambda _: self._forget(repo_id, shared))
        try:
            return await shared.wait(on_progress)
        finally:
            if not shared.waiters:
                self._forget(repo_id, shared)
                await shared.end()

    async def close(self) -> None:
        """End all downloads; who waits for one gets a HubError."""
        running = list(self._running.values())
        self._running.clear()
        await asyncio.gather(*(shared.end() for shared in running))

    def _forget(self, repo_id: str, shared: _Shared) -> None:
        """Let the next who asks begin anew, even while this one's process ends."""
        if self._running.get(repo_id) is shared:
            del self._running[repo_id]


class _Shared:
    """One download and those who wait for it."""

    def __init__(self, repo_id: str) -> None:
        self.waiters = 0
        self._listeners: list[OnProgress] = []
        self._last: DownloadProgress | None = None
        self.task = asyncio.create_task(download(repo_id, on_progress=self._tell))

    async def wait(self, on_progress: OnProgress | None) -> Path:
        """Return the result; being cancelled here cancels nobody else."""
        self.waiters += 1
        if on_progress is not None:
            self._listeners.append(on_progress)
            if self._last is not None:
                on_progress(self._last)
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise HubError("the download was stopped") from None
        finally:
            self.waiters -= 1
            if on_progress is not None:
                self._listeners.remove(on_progress)

    async def end(self) -> None:
        """Have the download ended, process and all."""
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()  # nobody is left to hear it

    def _tell(self, progress: DownloadProgress) -> None:
        self._last = progress
        for listener in tuple(self._listeners):
            listener(progress)


async def _start(repo_id: str) -> Process:
    # -P and PYTHONPATH: our own package, whatever lies in the current folder.
    paths = [str(_SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inference.library.hub_download", repo_id),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        start_new_session=True,  # Ctrl-C is for us: we end it
    )


async def _result_of(
    process: Process, repo_id: str, on_progress: OnProgress | None
) -> Path:
    """Follow the process to its last line."""
    last_words = asyncio.create_task(_last_words(process))
    try:
        while (report := await _next_report(process, repo_id)) is not None:
            if isinstance(report, Fetched):
                return Path(report.path)
            if isinstance(report, HubRefusal):
                raise HubError(report.error)
            if on_progress is not None:
                on_progress(report)
        reason = await last_words or f"code {await process.wait()}"
        raise HubError(f"{repo_id}: the download ended early ({reason})")
    finally:
        last_words.cancel()


async def _next_report(
    process: Process, repo_id: str
) -> DownloadProgress | Fetched | HubRefusal | None:
    """Return what the process says next; `None` when it has nothing more to say."""
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        return read_report(line) if line else None
    except (msgspec.MsgspecError, ValueError) as error:
        raise HubError(f"{repo_id}: the download went wrong: {error}") from error


async def _last_words(process: Process) -> str:
    """Read its errors to the end, and return the last line of them."""
    assert process.stderr is not None
    tail = b""
    while piece := await process.stderr.read(_LAST_WORDS_BYTES):
        tail = (tail + piece)[-_LAST_WORDS_BYTES:]
    lines = tail.decode(errors="replace").strip().splitlines()
    return lines[-1][:_WORDS_LIMIT] if lines else ""


async def _end(process: Process) -> None:
    kill(process)
    await process.wait()
