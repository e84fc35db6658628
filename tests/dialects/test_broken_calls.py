"""Whatever a model writes as a call, reading it neither raises nor breaks a frame."""

from __future__ import annotations

import pytest

from inference.core.frames import SequenceDelta, StepReport, to_bytes
from inference.core.requests import Tool
from inference.dialects.answers import AnswerParser
from inference.dialects.dialect import Calling
from inference.dialects.families import hermes

CALLING = Calling((Tool("f"),))


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "f", "arguments": "\\ud800"}',
        '{"name": "\\ud800", "arguments": {}}',
        '{"name": "\\q", "arguments": {}}',
        '{"name": "f", "arguments": NaN}',
    ],
)
def test_a_call_that_no_frame_can_carry_stays_text(body: str) -> None:
    parser = AnswerParser((hermes.DIALECT,), calling=CALLING)
    written = f"<tool_call>{body}</tool_call>"
    pieces = [parser.feed(written), parser.finish()]
    assert "".join(piece.text for piece in pieces) == written
    assert parser.calls_made == 0


def test_half_a_character_in_arguments_does_not_break_the_frame() -> None:
    body = '{"name": "f", "arguments": {"a": "\\ud800"}}'
    piece = AnswerParser((hermes.DIALECT,), calling=CALLING).feed(
        f"<tool_call>{body}</tool_call>"
    )
    delta = SequenceDelta(1, piece.text, 1, tool_calls=piece.calls)
    assert to_bytes(StepReport((delta,)))
