"""Where a reader's calls go: handed on as they come, or judged first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.requests import ToolCallDelta
from inference.dialects.source import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.dialects.signatures import Signature, Signatures
    from inference.dialects.source import Source


class Calls:
    """The calls of one answer, numbered; tells them in pieces through `put`."""

    def __init__(
        self,
        signatures: Signatures,
        put: Callable[[ToolCallDelta], None],
        *,
        new_id: Callable[[], str],
        parallel: bool,
    ) -> None:
        self._signatures = signatures
        self._put = put
        self._new_id = new_id
        self._parallel = parallel
        self.made = 0
        self._ids: set[str] = set()
        self.warnings: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether no further call is wanted."""
        return self.made > 0 and not self._parallel

    def trial(self, put: Callable[[ToolCallDelta], None]) -> Calls:
        """Return calls that count on from here and may yet be given up."""
        tried = Calls(
            self._signatures, put, new_id=self._new_id, parallel=self._parallel
        )
        tried.made = self.made
        return tried

    def adopt(self, tried: Calls) -> None:
        """Count what was tried as made."""
        self.made = tried.made
        self.warnings += tried.warnings

    def signature(self, name: str) -> Signature:
        """Return what a function declares, or raise `NotWrittenError`."""
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise NotWrittenError("it holds half a character") from error
        return self._signatures.of(name)

    def open(self, name: str, call_id: str) -> None:
        """Tell that a call begins."""
        if not call_id or call_id in self._ids:
            call_id = self._new_id()
        self._ids.add(call_id)
        self._put(ToolCallDelta(self.made, call_id, name, ""))
        self.made += 1

    def add(self, piece: str) -> None:
        """Tell a piece of the newest call's arguments."""
        if piece:
            self._put(ToolCallDelta(self.made - 1, arguments=piece))


class HeldSink:
    """Judges each call at its end, and lets nobody see it before."""

    holds_back = True

    def __init__(self, calls: Calls, source: Source, *, marks: bool = True) -> None:
        self._calls = calls
        self._source = source
        self._marks = marks
        self._signature: Signature | None = None
        self._call_id = ""
        self._pieces: list[str] = []
        self._slips: list[str] = []
        self.saw_name = False

    def begin(self, name: str, call_id: str = "") -> Signature:
        """Begin a call; see `CallSink`."""
        self.saw_name = True
        self._signature = self._calls.signature(name)
        self._call_id = _sound(call_id)
        self._pieces, self._slips = [], []
        return self._signature

    def identify(self, call_id: str) -> None:
        """Take the id that the model gave the call after its name."""
        self._call_id = _sound(call_id)

    def write(self, piece: str) -> None:
        """Add to its arguments."""
        self._pieces.append(piece)

    def end(self) -> None:
        """Judge the call, and tell it."""
        signature = self._signature
        assert signature is not None
        arguments, slips = signature.fitted("".join(self._pieces))
        if not self._calls.is_complete:
            self._calls.open(signature.name, self._call_id)
            self._calls.add(arguments)
        self._calls.warnings += [*self._slips, *slips]
        if self._marks:
            # What was read so far can no longer become text.
            self._source.mark()
        self._signature, self.saw_name, self._slips = None, False, []

    def warn(self, slip: str) -> None:
        """Note a slip of the call that is read, or of those that were."""
        slips = self._calls.warnings if self._signature is None else self._slips
        slips.append(slip)


class StreamedSink:
    """Hands on what a grammar holds."""

    holds_back = False

    def __init__(self, calls: Calls, source: Source) -> None:
        self._calls = calls
        self._source = source
        self.saw_name = False
        self.is_open = False

    def begin(self, name: str, call_id: str = "") -> Signature:
        """Begin a call; see `CallSink`."""
        self.saw_name = True
        signature = self._calls.signature(name)
        if self._calls.is_complete:
            raise NotWrittenError("only one call was asked for")
        self._calls.open(name, _sound(call_id))
        self.is_open = True
        return signature

    def identify(self, call_id: str) -> None:
        """Nothing: the call was told already."""

    def write(self, piece: str) -> None:
        """Tell a piece of its arguments."""
        self._calls.add(piece)

    def end(self) -> None:
        """End the call."""
        self._source.mark()
        self.is_open = self.saw_name = False

    def warn(self, slip: str) -> None:
        """Note a slip."""
        self._calls.warnings.append(slip)


def _sound(call_id: str) -> str:
    """Return an id that a frame can carry, else none."""
    try:
        call_id.encode()
    except UnicodeEncodeError:
        return ""
    return call_id
