"""Frames survive any cut of the byte stream; what is no frame is refused."""

from __future__ import annotations

import pytest

from inference.core.frames import (
    FRAME_BYTES_MAX,
    CancelSequence,
    Decode,
    FrameError,
    FrameReader,
    PreparePrompt,
    SequenceDelta,
    StepReport,
    to_bytes,
)
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    SamplingSpec,
    TextPart,
    ToolCallDelta,
)

COMMANDS = [
    PreparePrompt(1, ChatPrompt((ChatMessage("user", (TextPart("h\u00e9"),)),))),
    Decode(sequence_ids=(2, 3), prompt_id=1, sampling=SamplingSpec(stop=("a", "b"))),
    CancelSequence(sequence_id=2),
]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_it_puts_frames_together_from_pieces_of_any_size(size: int) -> None:
    data = b"".join(to_bytes(command) for command in COMMANDS)
    reader = FrameReader.for_commands()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert [f for piece in pieces for f in reader.feed(piece)] == COMMANDS


def test_it_refuses_a_frame_of_the_other_direction() -> None:
    report = StepReport(deltas=(SequenceDelta(1, "x", 1),))
    with pytest.raises(FrameError):
        FrameReader.for_commands().feed(to_bytes(report))


def test_it_refuses_an_absurd_length_before_waiting_for_it() -> None:
    with pytest.raises(FrameError, match="announced"):
        FrameReader.for_reports().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


def test_it_joins_two_deltas_of_a_sequence_without_losing_a_token() -> None:
    first = SequenceDelta(1, "ab", 2, completion_tokens=2)
    last = SequenceDelta(1, "c", 1, finish="stop", completion_tokens=3)
    joined = first.followed_by(last)
    assert joined == SequenceDelta(1, "abc", 3, finish="stop", completion_tokens=3)


def test_it_joins_the_pieces_of_one_call_and_keeps_calls_apart() -> None:
    first = SequenceDelta(1, "", 1, tool_calls=(ToolCallDelta(0, "id", "f", "{"),))
    more = (ToolCallDelta(0, arguments="}"), ToolCallDelta(1, "id2", "g", ""))
    joined = first.followed_by(SequenceDelta(1, "", 1, tool_calls=more))
    assert joined.tool_calls == (ToolCallDelta(0, "id", "f", "{}"), more[1])
