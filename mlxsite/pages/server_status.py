"""The status of the server: the one state that decides what a newcomer does next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from inference.core.outcomes import ModelState
from mlxsite.pages.model_lines import COMING, ModelLine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from inference.core.catalog import ModelCard
    from inference.runtime.app import App
    from mlxsite.pages.visitors import Visitor

_BROKEN = (ModelState.FAILED, ModelState.QUARANTINED)
# In memory, on the way there or from there; the rest only lies on the disk.
_PRESENT = (ModelState.READY, *COMING, *_BROKEN, ModelState.STOPPING)
SHOWN_UNLOADED = 8


class ServerState(StrEnum):
    """What a newcomer has to know first."""

    READY = "ready"
    ON_DEMAND = "on_demand"  # nothing in memory; the first request loads
    LOADING = "loading"
    FAILED = "failed"
    EMPTY = "empty"
    NOT_READY = "not_ready"  # all that one without a key is told
    STOPPING = "stopping"
    NO_SERVICE = "no_service"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The state, the model it is about, the models to show and how many more there are."""

    state: ServerState
    subject: ModelLine | None = None
    models: tuple[ModelLine, ...] = ()
    hidden: int = 0


async def server_status(app: App | None, visitor: Visitor) -> ServerStatus:
    """Return the status of the server, as far as this visitor may know."""
    if app is None:
        return ServerStatus(ServerState.NO_SERVICE)
    service = app.service
    if service.is_draining:
        return ServerStatus(ServerState.STOPPING)
    if visitor.is_unauthenticated:
        return ServerStatus(
            ServerState.READY if service.is_ready else ServerState.NOT_READY
        )
    return status_of_models(await service.known_cards(), is_ready=service.is_ready)


def status_of_models(cards: Sequence[ModelCard], *, is_ready: bool) -> ServerStatus:
    """Return the status that these models make; `is_ready` as `/health/ready` has it."""
    state, subject = _first_of_all(cards, is_ready=is_ready)
    present = [card for card in cards if card.state in _PRESENT]
    unloaded = [card for card in cards if card.state not in _PRESENT]
    shown = (*present, *unloaded[:SHOWN_UNLOADED])
    return ServerStatus(
        state,
        subject=ModelLine.of(subject) if subject else None,
        models=tuple(ModelLine.of(card) for card in shown),
        hidden=len(cards) - len(shown),
    )


def _first_of_all(
    cards: Sequence[ModelCard], *, is_ready: bool
) -> tuple[ServerState, ModelCard | None]:
    if ready := _first(cards, (ModelState.READY,)):
        return ServerState.READY, ready
    if coming := _first(cards, COMING):
        return ServerState.LOADING, coming
    if is_ready:
        return ServerState.ON_DEMAND, _first(cards, (ModelState.UNLOADED,))
    if broken := _first(cards, _BROKEN):
        return ServerState.FAILED, broken
    return ServerState.EMPTY, None


def _first(
    cards: Sequence[ModelCard], states: Collection[ModelState]
) -> ModelCard | None:
    return next((card for card in cards if card.state in states), None)
