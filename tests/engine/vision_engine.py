"""A vision model served without a server: preparer, loop and sender, turned by hand."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from inference.core.frames import (
    CancelSequence,
    Decode,
    FrameReader,
    Heartbeat,
    ImagesEncoded,
    PreparePrompt,
    PrepareRefused,
    PromptPrepared,
    SequenceDelta,
    StepReport,
)
from inference.core.images import ImageData
from inference.core.requests import (
    ChatMessage,
    ChatPrompt,
    ImagePart,
    SamplingSpec,
    TextPart,
)
from inference.engine.answers.sender import Sender
from inference.engine.answers.texts import AnswerTexts
from inference.engine.worker.loop import EngineConfig, EngineLoop, StopHit
from inference.engine.worker.prompts import PromptPreparer
from inference.images.headers import to_image
from tests.pictures import encoded, pixels

if TYPE_CHECKING:
    from inference.engine.loading.text_model import TextModel

GREEDY = SamplingSpec(temperature=0.0, max_tokens=100)
_END = -1

# Text, a colour with a seed, an image's file, or what the web made of one.
Part = str | tuple[str, int] | bytes | ImageData
Turn = tuple[str, list[Part]]


def message(turn: Turn) -> tuple[ChatMessage, list[ImageData]]:
    """Return a turn and its images."""
    role, parts = turn
    content: list[TextPart | ImagePart] = []
    images = []
    for part in parts:
        if isinstance(part, str):
            content.append(TextPart(part))
            continue
        if isinstance(part, tuple):
            part = encoded(pixels(*part))
        images.append(to_image(part) if isinstance(part, bytes) else part)
        content.append(ImagePart(""))
    return ChatMessage(role, tuple(content)), images


_OF_PROMPTS = ("tools", "template_kwargs", "reasoning_effort")


class VisionEngine:
    """A loop and the web's end of its socket; `company` is how many spoke at once."""

    def __init__(self, text: TextModel, *, max_rows: int = 32) -> None:
        self.text = text
        self._ours, self._theirs = socket.socketpair()
        self._sender = Sender(
            self._theirs, on_stop=lambda number: self.loop.post(StopHit(number))
        )
        self._sender.start()
        self.preparer = PromptPreparer(text, self._sender)
        self.loop = EngineLoop(
            text,
            self._sender,
            self.preparer,
            AnswerTexts(text.tokenizer, text.formats, text.words),
            EngineConfig(max_rows=max_rows, prefix_bytes=2**28),
        )
        self._reader = FrameReader.for_reports()
        self._unread: list[Any] = []
        self._asked = 0
        self.deltas: dict[int, SequenceDelta] = {}
        self.company: list[int] = []
        self.looks: dict[int, ImagesEncoded] = {}
        self.prepared: dict[int, PromptPrepared] = {}

    def close(self) -> None:
        """End the sender's thread."""
        self._sender.finish()
        self._theirs.close()
        self._ours.close()

    def prepare(
        self, *turns: Turn, **options: Any
    ) -> tuple[int, PromptPrepared | PrepareRefused]:
        """Prepare a conversation; return its number and what came of it."""
        self._asked += 1
        messages, images = [], []
        for turn in turns:
            said, seen = message(turn)
            messages.append(said)
            images += seen
        prompt = ChatPrompt(
            tuple(messages),
            **{name: options.pop(name) for name in _OF_PROMPTS if name in options},
        )
        self.preparer.submit(
            PreparePrompt(self._asked, prompt, images=tuple(images), **options)
        )
        while True:
            report = self._next_report()
            if isinstance(report, PromptPrepared | PrepareRefused):
                return self._asked, report
            self._take(report)

    def ask(self, *turns: Turn, spec: SamplingSpec = GREEDY, **options: Any) -> int:
        """Prepare a conversation and have it answered."""
        number, report = self.prepare(*turns, **options)
        assert isinstance(report, PromptPrepared), report
        self.prepared[number] = report
        self.loop.post(Decode((number,), number, spec))
        return number

    def cancel(self, number: int) -> None:
        """Give an answer up."""
        self.loop.post(CancelSequence(number))

    def turn(self) -> None:
        """Turn the loop once and read all that it sent."""
        self.loop.turn()
        self._sender.send(Heartbeat(0, 0, 0, 0, 0, steps=_END))
        while True:
            report = self._next_report()
            if isinstance(report, Heartbeat) and report.steps == _END:
                return
            self._take(report)

    def answer(self, number: int) -> str:
        """Turn the loop until a request is answered; return its text."""
        while not self.is_answered(number):
            self.turn()
        return self.deltas[number].text

    def is_answered(self, number: int) -> bool:
        """Whether an answer has ended."""
        return number in self.deltas and bool(self.deltas[number].finish)

    def reply(self, *turns: Turn, **options: Any) -> str:
        """Ask, and wait for the answer."""
        return self.answer(self.ask(*turns, **options))

    def _take(self, report: Any) -> None:
        match report:
            case StepReport(deltas=deltas):
                self.company.append(len(deltas))
                for delta in deltas:
                    earlier = self.deltas.get(delta.sequence_id)
                    self.deltas[delta.sequence_id] = (
                        delta if earlier is None else earlier.followed_by(delta)
                    )
            case ImagesEncoded():
                self.looks[report.sequence_id] = report

    def _next_report(self) -> Any:
        while not self._unread:
            self._unread = self._reader.feed(self._ours.recv(65536))
        return self._unread.pop(0)
