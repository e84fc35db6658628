"""A hub on this machine: what huggingface_hub 2.x asks for, over real HTTP.

    with FakeHub({"org/tiny": tiny_model_dir}) as hub:
        subprocess.run(command, env={**os.environ, **hub.environment(tmp_path)})

Like the real one it sends large files (here: weights) from another host, knows
them by SHA-256 and the small ones by git's name for them, and honours Range. It
sends no xet headers, so everything travels over plain HTTP.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from functools import cached_property
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants

from tests.library.fake_hub_answers import handler_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import pytest

LARGE = (".safetensors", ".gguf", ".bin", ".npz")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Request:
    """One request as it came: `host` without the port, `start` of its range."""

    method: str
    path: str
    host: str
    start: int
    authorization: str


@dataclass
class Faults:
    """What this hub does wrong; change it whenever you like.

    `cut_after`: close the connection after so many bytes of a large file's
    answer, `cuts` times. `hold_after`: send so many and then wait for `release`.
    `claimed_bytes`: the size it gives for large files. `spoiled`: a large file's
    bytes are others than it says. `status`: what it answers to everything.
    """

    gated: set[str] = field(default_factory=set)
    cut_after: int | None = None
    cuts: int = 1
    hold_after: int | None = None
    pause_s: float = 0.0  # after each 64 KiB
    claimed_bytes: int | None = None
    spoiled: bool = False
    ignores_ranges: bool = False
    status: int | None = None


class HubFile:
    """A file of a repository and the names that a hub gives its content."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_large = path.suffix in LARGE

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """The name of a large file's content."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def blob_id(self) -> str:
        """The name that git gives it."""
        content = self.path.read_bytes()
        header = f"blob {len(content)}\0".encode()
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        """What huggingface_hub's cache calls it."""
        return self.sha256 if self.is_large else self.blob_id


class FakeHub:
    """Serves the folders in `models` under their repository ids."""

    def __init__(self, models: dict[str, Path]) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        self.bytes_sent = 0  # of files
        self.held = threading.Event()  # set when an answer waits for `release`
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._models = {
            repo: {
                file.relative_to(folder).as_posix(): HubFile(file)
                for file in sorted(folder.rglob("*"))
                if file.is_file()
            }
            for repo, folder in models.items()
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Return what a client's process has to have set; `home` is its HF_HOME."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN": "",
            "HF_HUB_OFFLINE": "",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @property
    def large_file_starts(self) -> list[int]:
        """Where each answer with a large file's content began."""
        with self._lock:
            return [
                r.start
                for r in self.requests
                if r.method == "GET" and r.path.startswith("/cdn/")
            ]

    def files(self, repo: str) -> dict[str, HubFile]:
        """Return the files of a repository by name; add to them what you like."""
        return self._models[repo]

    def commit_of(self, repo: str) -> str:
        """Return its one commit: it changes with the files."""
        names = "".join(f"{n}:{f.etag}" for n, f in self._models[repo].items())
        return hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()

    def release(self) -> None:
        """Let the answers that are held go on, and later ones through."""
        self._released.set()

    # --- for the handler -----------------------------------------------------

    def note(self, **request: Any) -> None:
        """Keep what was asked."""
        with self._lock:
            self.requests.append(Request(**request))

    def note_sent(self, count: int) -> None:
        """Count the bytes of files that went out."""
        with self._lock:
            self.bytes_sent += count

    def takes_cut(self) -> bool:
        """Whether the connection that got far enough is to be cut now."""
        with self._lock:
            if self.faults.cuts <= 0:
                return False
            self.faults.cuts -= 1
            return True

    def wait_for_release(self) -> None:
        """Hold an answer."""
        self.held.set()
        self._released.wait(PATIENCE_S)

    def large(self, sha256: str) -> HubFile | None:
        """Return a large file by its content's name."""
        files = (f for model in self._models.values() for f in model.values())
        return next((f for f in files if f.is_large and f.sha256 == sha256), None)

    def size_of(self, file: HubFile) -> int:
        """Return the size that the hub gives for a file."""
        claimed = self.faults.claimed_bytes
        return claimed if file.is_large and claimed is not None else file.size

    def has(self, repo: str) -> bool:
        """Whether the repository exists."""
        return repo in self._models


def use_hub(hub: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process and those it starts know no other hub and no other cache."""
    for name, value in hub.environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
