"""Who holds how many connections: one client must leave places to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SWEEP_EVERY = 256


class Connections:
    """Knows the live transports by their client.

    The transports are asked whether they live: one that became a WebSocket's tells
    its channel no more.
    """

    def __init__(self) -> None:
        self._transports: dict[str, set[Any]] = {}
        self._taken = 0

    def take(self, client: str, transport: Any) -> int:
        """Count a connection as its client's; return how many that one holds now."""
        self._taken += 1
        if self._taken % SWEEP_EVERY == 0:
            self._sweep()
        held = _live(self._transports.get(client, set()))
        held.add(transport)
        self._transports[client] = held
        return len(held)

    def move(self, transport: Any, *, old: str, new: str) -> int:
        """Count a connection as another client's; return what that one holds now."""
        self._transports.get(old, set()).discard(transport)
        return self.take(new, transport)

    def live(self) -> Iterator[Any]:
        """Yield every transport that is connected."""
        for held in self._transports.values():
            yield from _live(held)

    def _sweep(self) -> None:
        """Forget clients that are gone, and what was never written to them."""
        live = {client: _live(held) for client, held in self._transports.items()}
        self._transports = {client: held for client, held in live.items() if held}


def _live(transports: set[Any]) -> set[Any]:
    return {transport for transport in transports if transport.connected}
