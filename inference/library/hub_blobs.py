"""Large files of a hub, fetched so that an interrupted download goes on.

huggingface_hub 2.x begins each file anew after an interruption: what it had got
lies under a random name, and stays. Here an unfinished file has a fixed name
beside the finished one's, the library's own lock guards it, and it gets its
name when its content has the SHA-256 that the hub gave. huggingface_hub then
finds the file in its cache and has nothing to fetch.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
from huggingface_hub import get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # no `as` there
    WeakFileLock,
    build_hf_headers,
    hf_raise_for_status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFINISHED = ".incomplete"
CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 30.0  # to connect, and between two pieces of a file
TRIES = 6  # in a row that bring nothing
LONGEST_PAUSE_S = 8.0
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
SHA256 = re.compile(r"[0-9a-f]{64}")


class DamagedFileError(OSError):
    """A file that came is not the file that the hub described."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file by its content: the name it has in the cache, and its size."""

    name: str
    digest: str
    size_bytes: int


def fetch_blob(blob: Blob, *, url: str, blobs: Path, locks: Path) -> None:
    """Have the file in `blobs`, going on from what is there of it.

    Blocks for as long as that takes. What is unfinished stays, whatever happens.

    Raises:
        HfHubHTTPError, httpx2.TransportError: the hub does not give it.
        DamagedFileError: it gives something else.
        OSError: it cannot be kept.
    """
    target = blobs / blob.digest
    partial = target.with_name(target.name + UNFINISHED)
    with WeakFileLock(locks / f"{blob.digest}.lock"):
        if target.is_file():  # another process was first
            return
        if _size_of(partial) > blob.size_bytes:
            partial.unlink()
        # Once more where it is wrong: an old beginning may be what was damaged.
        for _ in range(2):
            _complete(partial, blob, url)
            if _has_digest(partial, blob.digest):
                partial.replace(target)
                return
            partial.unlink()
    raise DamagedFileError(f"{blob.name} is not the file that the hub describes")


def size_on_disk(blobs: Path) -> dict[str, int]:
    """Return how many bytes of each file are there, finished or not."""
    sizes: dict[str, int] = {}
    for digest, size_bytes in _sizes(blobs):
        sizes[digest] = max(size_bytes, sizes.get(digest, 0))
    return sizes


def _sizes(blobs: Path) -> Iterator[tuple[str, int]]:
    try:
        entries = list(blobs.iterdir())
    except OSError:
        return
    for entry in entries:
        digest = entry.name.partition(".")[0]
        for path in (entry, entry.with_name(digest)):  # it may get its name just now
            try:
                yield digest, path.stat().st_size
            except OSError:
                continue
            break


def _complete(partial: Path, blob: Blob, url: str) -> None:
    """Append to the file until it has its size."""
    failures = 0
    while (had := _size_of(partial)) < blob.size_bytes:
        try:
            _receive(partial, had, blob, url)
        except (httpx2.TransportError, HfHubHTTPError) as error:
            failures = failures + 1 if _size_of(partial) <= had else 1
            if failures >= TRIES or not _is_transient(error):
                raise
            time.sleep(min(2.0 ** (failures - 1), LONGEST_PAUSE_S))
    if had > blob.size_bytes:
        partial.unlink()
        raise DamagedFileError(f"{blob.name} is larger than the hub says")


def _receive(partial: Path, had: int, blob: Blob, url: str) -> None:
    """Append one answer of the hub, from byte `had` on."""
    # Ranges count the bytes that travel: they have to be the file's own.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
    with get_session().stream(
        "GET", url, headers=headers, timeout=TIMEOUT_S
    ) as response:
        hf_raise_for_status(response)
        goes_on = response.status_code == httpx2.codes.PARTIAL_CONTENT
        room = blob.size_bytes - (had if goes_on else 0)
        with partial.open("ab" if goes_on else "wb") as file:
            for chunk in response.iter_bytes(CHUNK_BYTES):
                file.write(chunk[: room + 1])  # one too many is enough to tell
                file.flush()
                room -= len(chunk)
                if room < 0:
                    return
    if _size_of(partial) <= had:
        raise DamagedFileError(f"{blob.name} ends before the size that the hub says")


def _is_transient(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in TRANSIENT
    return not isinstance(error, httpx2.UnsupportedProtocol | httpx2.ProxyError)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _has_digest(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest
