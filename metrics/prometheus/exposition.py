"""From the server's state to the text that Prometheus reads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from inference.core.timing import Clock, SystemClock
from inference.runtime.app import current_app
from metrics.prometheus.families import PREFIX, families, under_old_name
from metrics.prometheus.moment import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client.core import Metric

    from metrics.prometheus.counts import RunCounts


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    """Gives a registry the families of one moment."""

    moment: Moment
    has_old_names: bool

    def collect(self) -> Iterable[Metric]:
        for family in families(self.moment):
            yield family
            if self.has_old_names and family.name.startswith(PREFIX):
                yield under_old_name(family)

    def describe(self) -> Iterable[Metric]:
        return ()


@dataclass(slots=True)
class PrometheusExposition:
    """Implements `Exposition`: looks on the loop, makes the text in a thread.

    The text of 20 models takes longer than the loop may stand still. Scrapers wait
    for each other, so that many of them take no more than one core's share.
    """

    counts: RunCounts
    versions: Mapping[str, str]
    has_old_names: bool = True
    clock: Clock = field(default_factory=SystemClock)
    started_at: float = field(init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.started_at = self.clock.wall()

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Return the figures as of now and their content type, one of `accept`."""
        async with self._turn:
            moment = Moment.of(
                current_app(),
                self.counts,
                versions=self.versions,
                started_at=self.started_at,
            )
            still = _Still(moment, self.has_old_names)
            return await asyncio.to_thread(_text, still, accept)


def _text(still: _Still, accept: str) -> tuple[bytes, str]:
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(still)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
