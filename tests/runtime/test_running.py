"""The list of open requests: who is on it, in which order, and how much was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.outcomes import Operation, Outcome, Phase
from inference.core.requests import Delta
from inference.runtime.running import RECENT, RunningRequests
from tests.api.cast import House

if TYPE_CHECKING:
    from inference.core.trace import RequestTrace


def begun(house: House, model: str = "m") -> RequestTrace:
    trace = house.app.new_trace(
        endpoint="/v1/chat/completions", operation=Operation.CHAT
    )
    trace._note(kind="text", model=model)
    trace.open()
    return trace


def test_a_request_is_listed_from_its_first_record_to_its_last() -> None:
    house = House.build()
    running = house.app.running
    unread = house.app.new_trace(
        endpoint="/v1/chat/completions", operation=Operation.CHAT
    )
    first, second = begun(house), begun(house)
    assert [r.request_id for r in running.first(9)] == [
        first.request_id,
        second.request_id,
    ]
    assert [r.request_id for r in running.first(1)] == [first.request_id]
    for trace in (unread, first, second):
        trace.close()
    assert len(running) == 0
    # What left no row counts nowhere.
    assert running.outcomes == {Outcome.CANCELLED: 2}
    assert running.outcomes.total() == len(house.ledger.finished)


def test_it_counts_the_tokens_of_those_that_run_and_of_those_that_ended() -> None:
    house = House.build()
    one, two = begun(house), begun(house, "other")
    for trace, tokens in ((one, 3), (two, 4)):
        trace.enter(Phase.PREFILL)
        trace.arrived(Delta("a"), tokens)
    before = house.app.running.tokens_by_model()
    one.finish()
    one.close()
    assert house.app.running.tokens_by_model() == before == {"m": 3, "other": 4}


def test_it_keeps_only_so_many(monkeypatch) -> None:
    monkeypatch.setattr("inference.runtime.running.OPEN_MOST", 2)
    house = House.build()
    traces = [begun(house) for _ in range(3)]
    assert len(house.app.running) == 2
    for trace in traces:
        trace.close()
    for _ in range(RECENT + 5):
        begun(house).close()
    assert len(house.app.running) == 0
    assert len(house.app.running.recent) == RECENT
    assert house.app.running.outcomes.total() == RECENT + 8


def test_it_cancels_nothing_that_it_does_not_know() -> None:
    assert not RunningRequests().cancel("req-unknown", by="ann")


def test_a_key_ends_what_it_began_and_nothing_else() -> None:
    house = House.build()
    running = house.app.running
    mine, other, counting = begun(house), begun(house), begun(house)
    for trace, key in ((mine, "ann"), (other, "ben"), (counting, "ann")):
        trace.authorised(key)
    counting.operation = Operation.COUNT
    assert running.cancel_own(mine.request_id, key_name="ann")
    for trace in (mine, other, counting):
        assert not running.cancel_own(trace.request_id, key_name="ann")
    (row,) = house.ledger.finished
    assert (row.request_id, row.reason) == (mine.request_id, "cancelled_by_client")
    assert (row.outcome, row.key_name) == (Outcome.CANCELLED, "ann")
