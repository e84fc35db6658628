"""Stop strings over streamed text, also where they span tokens."""

from __future__ import annotations


class StopMatcher:
    """Holds back what might become a stop string; cuts at the first that does.

    `feed` returns the text that is now certain not to be part of a stop string.
    Once `stopped` is true, nothing more comes out; `met` is the stop string that did it.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.met = ""

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return bool(self.met)

    def feed(self, text: str) -> str:
        """Take new text, return what may be shown of all text so far."""
        if not self._stops or self.stopped:
            return "" if self.stopped else text
        pending = self._held + text
        found = [(at, s) for s in self._stops if (at := pending.find(s)) >= 0]
        if found:
            cut, self.met = min(found, key=lambda place: place[0])
            self._held = ""
            return pending[:cut]
        keep = self._length_at_risk(pending)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]

    def flush(self) -> str:
        """Return what was held back; the text has ended without a stop string."""
        held, self._held = self._held, ""
        return held

    def _length_at_risk(self, text: str) -> int:
        """Return the length of the longest tail that begins some stop string."""
        longest = max(len(stop) for stop in self._stops) - 1
        for length in range(min(longest, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
