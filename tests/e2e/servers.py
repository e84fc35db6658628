"""A real server in a process of its own, as a user starts it."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import openai

from tests.e2e.databases import REPOSITORY as REPOSITORY
from tests.e2e.databases import record_of
from tests.fast_blas import share_openblas
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0
# Three models load one after the other, perhaps beside other tests' servers.
START_S = 180.0
# At once, compared with what would take a minute or more; on a busy machine, too.
SOON_S = 20.0

T = TypeVar("T")


def wait_until(look: Callable[[], T], what: str, within_s: float = PATIENCE_S) -> T:
    """Look again and again until something true is seen; fail after `within_s`."""
    ends_at = time.monotonic() + within_s
    pause = threading.Event()
    while time.monotonic() < ends_at:
        if seen := look():
            return seen
        pause.wait(0.02)
    raise AssertionError(f"Not within {within_s} s: {what}")


class Server:
    """One run of `manage.py runserver_mlx`; ends with the test that began it."""

    program: tuple[str, ...] = (str(REPOSITORY / "manage.py"),)

    def __init__(
        self, data_dir: Path, model: Path, *options: str, **environment: str
    ) -> None:
        self.data_dir = data_dir
        self._kept = ExitStack()
        self.port = self._kept.enter_context(kept_port())
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self.record = record_of(data_dir, environment.get("DATABASE_URL"))
        share_openblas(data_dir)
        self._key = environment.get("MLX_API_KEY", "none")
        self._async_clients: list[openai.AsyncOpenAI] = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, *self.program, "runserver_mlx"),
                *("--model-path", str(model), "--port", str(self.port)),
                *options,
            ],
            env={
                **os.environ,
                "MLX_DATA_DIR": str(data_dir),
                # The tests that are about it turn it on; the others need the cores.
                "SPARE_WORKER": "0",
                **environment,
                "DATABASE_URL": self.record.url,
            },
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> Server:
        """Return once the server said that its model answers."""
        wait_until(lambda: self._is_up("Ready: "), "the server's Ready line", START_S)
        return self

    def wait_listening(self) -> Server:
        """Return once the port is open; the model may still load."""
        wait_until(lambda: self._answers("/health"), "an open port", START_S)
        return self

    def client(self, **options: Any) -> openai.OpenAI:
        """Return an SDK client that hides no failure behind retries."""
        settings = {"api_key": "none", "max_retries": 0, "timeout": PATIENCE_S}
        return openai.OpenAI(base_url=f"{self.base_url}/v1", **settings | options)

    def async_client(self, **options: Any) -> openai.AsyncOpenAI:
        """Return an asynchronous SDK client that hides no failure.

        It is kept: one that is garbage before its loop ends makes newer ones hang.
        Its sockets are closed at once and its transports a moment later, which then
        stop the event loop from reading the sockets that got the same numbers.
        """
        settings = {"api_key": "none", "max_retries": 0, "timeout": PATIENCE_S}
        client = openai.AsyncOpenAI(
            base_url=f"{self.base_url}/v1", **settings | options
        )
        self._async_clients.append(client)
        return client

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON that a GET answers with."""
        headers = {"Authorization": f"Bearer {self._key}"}
        asked = urllib.request.Request(self.base_url + path, headers=headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            parsed: dict[str, Any] = json.load(answer)
            return parsed

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the request log by request id, straight from the database."""
        rows = self.select("metrics_requestlog", "started_at")
        return {row["request_id"]: row for row in rows}

    def events(self) -> list[dict[str, Any]]:
        """Return the server events, oldest first."""
        return self.select("metrics_servereventlog", "at")

    def count_rows(self) -> int:
        """Return how many requests have ended, once all of them are written."""

        def written() -> list[str] | None:
            told = self.get("/v1/queue/stats")["metrics"]["outcomes"]
            ended = [r["outcome"] for r in self.rows().values()]
            ended = [outcome for outcome in ended if outcome != "running"]
            return [*ended, "."] if len(ended) == sum(told.values()) else None

        found = wait_until(written, "a row for every request that ended")
        return len(found or []) - 1

    def wait_rows(self, count: int) -> dict[str, dict[str, Any]]:
        """Return the rows once `count` requests have ended and are written."""

        def ended() -> dict[str, dict[str, Any]] | None:
            rows = self.rows()
            over = [r for r in rows.values() if r["outcome"] != "running"]
            return rows if len(over) >= count else None

        found: dict[str, dict[str, Any]] = wait_until(ended, f"{count} ended rows")  # type: ignore[assignment]
        return found

    def wait_idle(self, within_s: float = PATIENCE_S) -> None:
        """Return once no seat is taken and nobody waits."""

        def is_idle() -> bool:
            stats = self.get("/v1/queue/stats")["queue_stats"]
            return stats["active_requests"] == 0 and stats["queue_size"] == 0

        wait_until(is_idle, "an idle queue", within_s)

    def worker_pids(self) -> list[int]:
        """Return the processes that this server started for models."""
        return self._children("inference.engine")

    def checker_pids(self) -> list[int]:
        """Return the processes that check grammars."""
        return self._children("inference.structure.checker")

    def _children(self, module: str) -> list[int]:
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", module],
            capture_output=True,
            text=True,
        )
        return [int(line) for line in found.stdout.split()]

    def resident_bytes(self) -> int:
        """Return the web process's resident memory."""
        found = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)],
            capture_output=True,
            text=True,
        )
        return int(found.stdout) * 1024

    def open_files(self) -> int:
        """Return how many files and sockets the web process holds."""
        gc.collect()  # clients that nobody holds any more keep their connections
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kill(self) -> None:
        """End the web process as a crash would."""
        self.process.kill()
        self.process.wait()
        self._kept.close()

    def stop(self) -> int:
        """Ask the server to end, as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(5)
        return code

    def output(self) -> str:
        """Return everything printed so far."""
        return "".join(self.lines)

    def password(self) -> str:
        """Return the admin password from the first start."""
        found = re.search(r"password: (\S+)", self.output())
        assert found, self.output()
        return found[1]

    def select(self, table: str, order: str) -> list[dict[str, Any]]:
        """Return the rows of a table in this order, straight from the database."""
        return self.record.select(f"SELECT * FROM {table} ORDER BY {order}")

    def _is_up(self, sign: str) -> bool:
        assert self.process.poll() is None, self.output()
        return sign in self.output()

    def _answers(self, path: str) -> bool:
        assert self.process.poll() is None, self.output()
        try:
            return bool(self.get(path))
        except OSError:
            return False

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
