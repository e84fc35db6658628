"""How far a load is, as events: the last one comes however slowly they are read."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from inference.api import model_changes
from inference.core.models import LoadStage, LoadUpdate

if TYPE_CHECKING:
    import pytest


async def test_a_load_that_ends_while_nobody_reads_is_told_to_its_last_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    was_read = asyncio.Event()

    async def load(_call: Any, _asked: Any, latest: Any) -> None:
        latest.note(LoadUpdate(LoadStage.LOADING, 1, 2))
        await was_read.wait()
        latest.note(LoadUpdate(LoadStage.LOADING, 2, 2))

    monkeypatch.setattr(model_changes, "_load", load)
    monkeypatch.setattr(model_changes, "changed_body", lambda _: {"state": "ready"})
    steps = model_changes._steps(None, None)
    told = [json.loads(await anext(steps))]
    was_read.set()
    # The load goes on to its end between two events.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    told += [json.loads(step) async for step in steps]
    assert [step.get("done_bytes") for step in told] == [1, 2, None]
    assert told[-1] == {"state": "ready"}
