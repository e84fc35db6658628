"""A model knows who uses it, and since when nobody does."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.runtime.leases import Leases


@dataclass
class Watch:
    """A clock that stands where it was put, and a count of idle moments."""

    now: float = 100.0
    idle: list[float] = field(default_factory=list)

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def note(self) -> None:
        self.idle.append(self.now)


def leases(watch: Watch) -> Leases:
    return Leases(clock=watch, on_unused=watch.note)


async def test_it_is_unused_when_the_last_user_leaves() -> None:
    watch = Watch()
    use = leases(watch)
    with use.lease():
        with use.lease():
            assert len(use) == 2
        assert use.is_busy
        assert not watch.idle
        watch.now = 200.0
    assert watch.idle == [200.0]
    assert use.last_used_at == 200.0
    await use.wait_unused()
    assert len(use) == 0


async def test_who_waits_keeps_it_and_does_not_use_it() -> None:
    use = leases(Watch())
    with use.wanted():
        assert use.is_busy
        assert len(use) == 1
        # An unload need not wait for those who could not begin.
        await use.wait_unused()
    assert use.last_used_at is None


async def test_it_adds_up_what_was_promised_and_forgets_it_with_the_user() -> None:
    use = leases(Watch())
    with use.lease() as one, use.lease() as other:
        one.kv_bytes, other.kv_bytes = 3, 4
        assert use.promised_bytes == 7
    assert use.promised_bytes == 0
