"""How far a load is, as events: the last one comes however slowly they are read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.catalog import ModelCard
from inference.core.errors import InferenceError, ModelLoadFailedError
from inference.core.models import LoadRequest, LoadStage, LoadUpdate
from inference.faces.loading.source import LoadSource

if TYPE_CHECKING:
    from collections.abc import Callable

CARD = ModelCard(key="m", source="s")


class Trace:
    def served_by(self, key: str) -> None:
        self.key = key


class Loading:
    """A service that loads one model in two steps, the second when it is let."""

    def __init__(self, error: InferenceError | None = None) -> None:
        self.go_on = asyncio.Event()
        self.was_cancelled = False
        self._error = error

    async def load_by_name(
        self,
        asked: LoadRequest,
        *,
        may_download: bool,
        on_update: Callable[[LoadUpdate], None],
    ) -> ModelCard:
        try:
            on_update(LoadUpdate(LoadStage.LOADING, 1, 2))
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        on_update(LoadUpdate(LoadStage.LOADING, 2, 2))
        if self._error is not None:
            raise self._error
        return CARD


def source_of(loading: Loading) -> LoadSource:
    service: Any = loading
    trace: Any = Trace()
    return LoadSource(service, LoadRequest(model="m"), False, trace)


async def test_a_load_that_ends_while_nobody_reads_is_told_to_its_last_byte() -> None:
    loading = Loading()
    source = source_of(loading)
    told = await source.take()
    loading.go_on.set()
    # The load goes on to its end between two looks.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    while not source.is_ended:
        told += await source.take()
    assert [getattr(item, "done_bytes", None) for item in told] == [1, 2, None]
    assert told[-1] is CARD


async def test_a_load_that_goes_on_in_silence_hands_out_nothing() -> None:
    source = source_of(Loading())
    await source.take()
    assert await source.take(0.01) == []
    assert not source.is_ended
    source.give_up()


async def test_a_load_that_fails_tells_its_last_progress_first() -> None:
    loading = Loading(ModelLoadFailedError("no"))
    source = source_of(loading)
    loading.go_on.set()
    assert await source.take() == [LoadUpdate(LoadStage.LOADING, 2, 2)]
    with pytest.raises(ModelLoadFailedError):
        await source.take()


async def test_who_leaves_waits_for_it_no_longer() -> None:
    loading = Loading()
    source = source_of(loading)
    await source.take()
    source.give_up()
    with pytest.raises(asyncio.CancelledError):
        await source.loaded()
    assert loading.was_cancelled
