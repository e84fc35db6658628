"""What an answer's text falls into, and the box where pieces wait to be taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.core.requests import ToolCallDelta


@dataclass(frozen=True, slots=True)
class Pieces:
    """What became readable: content, thinking, pieces of calls."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCallDelta, ...] = ()


class PieceBox:
    """Collects pieces in their order until they are taken as one."""

    def __init__(self) -> None:
        self._pieces: list[Pieces] = []

    def put(
        self,
        *,
        text: str = "",
        reasoning: str = "",
        calls: tuple[ToolCallDelta, ...] = (),
    ) -> None:
        """Add what became readable, if anything did."""
        if text or reasoning or calls:
            self._pieces.append(Pieces(text, reasoning, calls))

    def taken(self) -> Pieces:
        """Return everything that was put in since the last time."""
        pieces, self._pieces = self._pieces, []
        if len(pieces) == 1:
            return pieces[0]
        return Pieces(
            "".join(piece.text for piece in pieces),
            "".join(piece.reasoning for piece in pieces),
            tuple(call for piece in pieces for call in piece.calls),
        )
