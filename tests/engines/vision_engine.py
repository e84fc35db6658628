"""A vision model served without a server: desk, loop and sender, turned by hand."""

from __future__ import annotations

import io
import random
import socket
from typing import TYPE_CHECKING, Any

from PIL import Image

from inference.core.frames import (
    CancelSequence,
    FrameReader,
    Generate,
    Heartbeat,
    ImagesEncoded,
    PreparePrompt,
    PrepareRefused,
    PromptPrepared,
    SequenceDelta,
    StepReport,
)
from inference.core.images import ImageData
from inference.core.requests import ChatMessage, ImagePart, SamplingSpec, TextPart
from inference.engines.answers import AnswerTexts
from inference.engines.loop import EngineLoop, StopHit
from inference.engines.prompts import PromptDesk
from inference.engines.sender import Sender
from inference.images.headers import to_image

if TYPE_CHECKING:
    from inference.engines.text import TextModel

# What the tiny model was taught to tell apart: from, to, for each of R, G and B.
COLOURS: dict[str, tuple[tuple[int, int], ...]] = {
    "red": ((185, 255), (0, 45), (0, 45)),
    "green": ((0, 55), (105, 255), (0, 65)),
    "blue": ((0, 60), (0, 85), (165, 255)),
    "yellow": ((225, 255), (212, 255), (0, 70)),
    "orange": ((235, 255), (118, 172), (0, 45)),
    "purple": ((105, 165), (0, 50), (118, 215)),
    "cyan": ((0, 60), (212, 255), (212, 255)),
    "pink": ((240, 255), (100, 196), (165, 212)),
    "white": ((236, 255),) * 3,
    "black": ((0, 26),) * 3,
    "gray": ((110, 150),) * 3,
}
GREEDY = SamplingSpec(temperature=0.0, max_tokens=100)
ONE = "What colour is this image?"
ALL = "What colours are these images?"
_END = -1

# Text, a colour with a seed, an image's file, or what the web made of one.
Part = str | tuple[str, int] | bytes | ImageData
Turn = tuple[str, list[Part]]


def pixels(colour: str, seed: int) -> Image.Image:
    """Return a picture of a shade of `colour`, of some size."""
    chance = random.Random(f"{colour} {seed}")
    shade = [chance.randint(*span) for span in COLOURS[colour]]
    if colour in ("white", "gray"):
        shade = [shade[0]] * 3
    side = chance.choice([16, 32, 48, 64, 100, 224, 640])
    size = (side, round(side * chance.choice([1, 1, 4 / 3, 3 / 2, 2])))
    return Image.new("RGB", size[:: chance.choice([1, -1])], tuple(shade))


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


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


class VisionEngine:
    """A loop and the web's end of its socket; `company` is how many spoke at once."""

    def __init__(self, text: TextModel, *, max_rows: int = 32) -> None:
        self.text = text
        self._ours, self._theirs = socket.socketpair()
        self._sender = Sender(
            self._theirs, on_stop=lambda number: self.loop.post(StopHit(number))
        )
        self._sender.start()
        self.desk = PromptDesk(text, self._sender)
        self.loop = EngineLoop(
            text,
            self._sender,
            self.desk,
            AnswerTexts(text.tokenizer, text.formats, text.words),
            max_rows=max_rows,
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
        self.desk.submit(
            PreparePrompt(self._asked, tuple(messages), images=tuple(images), **options)
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
        self.loop.post(Generate((number,), number, spec))
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
