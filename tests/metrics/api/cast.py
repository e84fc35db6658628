"""A site to read from: the real doors and views, a service that holds still."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from inference.auth import Readers, SharedKey
from inference.core.catalog import ModelCard
from inference.core.outcomes import ModelState
from inference.runtime.app import App, install_app
from metrics.models import RequestLog
from tests.metrics.cast import NOON, ended, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

KEY, METRICS_KEY = "the-key", "the-metrics-key"
HOSTS = ("testserver", "localhost")
ELSEWHERE = "192.0.2.7"


class Service:
    """One model that can answer."""

    card = ModelCard(key="tiny", source="/models/tiny", state=ModelState.READY)

    async def known_cards(self) -> tuple[ModelCard, ...]:
        return (self.card,)


class Exposition:
    """Says nothing but that it was asked."""

    async def render(self, accept: str) -> tuple[bytes, str]:
        return b"asked 1\n", "text/plain; version=0.0.4; charset=utf-8"


def open_doors(
    *,
    key: str = "",
    metrics_key: str = "",
    loop: asyncio.AbstractEventLoop | None = None,
) -> None:
    """Install an app with the doors of a server that was started with these keys."""
    keys = SharedKey(key)
    scrapers = (
        Readers(SharedKey(metrics_key), allowed_hosts=HOSTS)
        if metrics_key
        else Readers(keys, allowed_hosts=HOSTS, lets_local_in=True)
    )
    parts: dict[str, Any] = dict.fromkeys(("observer", "stats", "identity", "record"))
    service: Any = Service()
    install_app(
        App(
            service=service,
            keys=keys,
            loop=loop,
            readers=Readers(keys, allowed_hosts=HOSTS),
            scrapers=scrapers,
            exposition=Exposition(),
            **parts,
        )
    )


class LoopThread:
    """An event loop beside the test, as the server's is beside its views."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass(frozen=True)
class Reader:
    """Reads pages of `/api/` as a program on this machine."""

    client: Client

    def get(self, path: str, **asked: Any) -> Any:
        """Return the body of a page; `from_` asks for `from`."""
        named = {name.rstrip("_"): value for name, value in asked.items()}
        answer = self.client.get(f"{path}?{urlencode(named)}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def refusal(self, path: str, **asked: Any) -> tuple[int, Any]:
        """Return the status and the error of a refusal."""
        answer = self.client.get(f"{path}?{urlencode(asked)}")
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return answer.status_code, error

    def pages(self, path: str, **asked: Any) -> Iterator[list[Any]]:
        """Yield one page after the other."""
        while True:
            body = self.get(path, **asked)
            yield body["data"]
            if not body["has_more"]:
                return
            asked["cursor"] = body["next_cursor"]


def add_rows(
    count: int, *, at: float = NOON, step: float = 1.0, **changes: Any
) -> None:
    """Add rows of ended requests, `step` seconds apart."""
    RequestLog.objects.record_starts(
        RequestLog.from_record(ended(started(started_at=at + number * step), **changes))
        for number in range(count)
    )
