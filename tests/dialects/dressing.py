"""A small real tokenizer with the marks of a family, and a model that knows nothing."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from inference.core.frames import PreparePrompt
from inference.core.requests import ChatPrompt
from inference.dialects.answers import AnswerParser
from inference.engine.answers.plans import prepare_answer
from inference.engine.text.formats import ModelFormats, calls_of, encoded_thinking
from inference.engine.text.vocabulary import Vocabulary
from inference.prompting.templates import RenderedPrompt
from inference.prompting.traits import TemplateTraits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inference.core.requests import Grammar, ToolCallDelta, ToolUse
    from inference.dialects.dialect import CallForm, Dialect
    from inference.engine.answers.plans import PreparedPrompt
    from inference.engine.guidance.guides import GuidePlan

THOUGHT_MOST = 12
MARK = re.compile(
    r"<\|[^|<>\n ]{1,40}\|>|<\uff5c[^\uff5c<>\n]{1,40}\uff5c>|\[/?[A-Z_]{3,}\]|\]<\]minimax\[>\["
    r"|</?(?:think|tool_call|arg_key|arg_value|seed:tool_call|minimax:tool_call"
    r"|start_function_call|end_function_call|escape|TOOLCALL)>|<\|tool_call>|<tool_call\|>"
)


@dataclass(frozen=True)
class Dressed:
    """A tokenizer, and what its tokens spell."""

    tokenizer: PreTrainedTokenizerFast
    words: Vocabulary
    size: int
    eos: int


def dress(base: Path, marks: list[str], *, special: bool) -> Dressed:
    """Return the tokenizer in `base` with `marks` as tokens of their own."""
    said = json.loads((base / "tokenizer.json").read_text())
    eos: int = json.loads((base / "config.json").read_text())["eos_token_id"]
    added = said["added_tokens"]
    first = max([t["id"] for t in added] + list(said["model"]["vocab"].values())) + 1
    known = {token["content"] for token in added}
    fresh = [mark for mark in dict.fromkeys(marks) if mark not in known]
    for at, mark in enumerate(fresh):
        added.append(added[0] | {"id": first + at, "content": mark, "special": special})
    whole = Tokenizer.from_str(json.dumps(said))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole)
    size = first + len(fresh)
    words = Vocabulary(tokenizer, size=size, eos_ids=frozenset((eos,)))
    return Dressed(tokenizer, words, size, eos)


def marks_of(dialect: Dialect, form: CallForm) -> list[str]:
    """Return the marks that a form of calls is written with."""
    return MARK.findall(repr((dialect, form)))


def formats_as(dressed: Dressed, dialect: Dialect) -> ModelFormats:
    """Return the formats of a model that writes a dialect."""
    thinking = dialect.thinking[0] if dialect.thinking else None
    return ModelFormats(
        traits=TemplateTraits(),
        dialect=dialect,
        thoughts=None,
        thinking=encoded_thinking(dressed.tokenizer, thinking) if thinking else None,
        calls=calls_of(dressed.tokenizer, dressed.size, dialect),
    )


def prepared(
    dressed: Dressed,
    dialect: Dialect,
    tools: ToolUse,
    grammar: Grammar | None = None,
) -> PreparedPrompt:
    """Return the plan of an answer that may call tools."""
    command = PreparePrompt(1, ChatPrompt((), tools=tools), grammar)
    formats = formats_as(dressed, dialect)
    return prepare_answer(command, RenderedPrompt([1]), formats, dressed.words)


@dataclass(frozen=True)
class Said:
    """One answer: its tokens with whether a grammar held what followed, its end."""

    tokens: list[tuple[int, bool]]
    has_ended: bool


def ramble(
    plan: GuidePlan,
    dressed: Dressed,
    rng: np.random.Generator,
    most: int = 3000,
    begins: Sequence[int] = (),
) -> Said:
    """Let a model that finds every token as likely answer at temperature 1.5.

    Where it `begins` with something of its own, it ends where nothing holds it.
    """
    guide = plan.open(THOUGHT_MOST)
    assert guide is not None
    mask = np.zeros((dressed.size + 31) // 32, dtype=np.int32)
    said: list[tuple[int, bool]] = []
    for token in begins:
        guide.accept(token)
        said.append((token, guide.holds_call))
    while len(said) < most:
        if begins and not guide.constrains:
            return Said(said, has_ended=True)
        guide.fill(mask)
        assert not guide.error, guide.error
        bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[: dressed.size]
        logits = rng.normal(0, 3, dressed.size) / 1.5 + rng.gumbel(size=dressed.size)
        token = int(np.argmax(np.where(bits, logits, -np.inf)))
        guide.accept(token)
        assert not guide.error, guide.error
        if token == dressed.eos:
            return Said(said, has_ended=True)
        said.append((token, guide.holds_call))
        if guide.is_over:
            return Said(said, has_ended=True)
    return Said(said, has_ended=False)


def texts_of(dressed: Dressed, said: Said) -> Iterator[tuple[str, bool]]:
    """Yield the text of each token, and whether what follows is held."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token, held in said.tokens:
        yield decoder.decode(dressed.words.bytes_of(token)), held


@dataclass
class Heard:
    """What a client would get of an answer."""

    calls: list[ToolCallDelta]
    text: str
    warnings: list[str]
    pieces: int


def hear(prompt: PreparedPrompt, dressed: Dressed, said: Said, **cut: Any) -> Heard:
    """Read an answer token by token."""
    parser = AnswerParser(prompt.dialects, calling=prompt.calling)
    found = [parser.feed(text, is_held=held) for text, held in texts_of(dressed, said)]
    found.append(parser.finish(**cut))
    heard = Heard([], "".join(pieces.text for pieces in found), parser.warnings, 0)
    for piece in (each for pieces in found for each in pieces.calls):
        heard.pieces += 1
        if piece.index == len(heard.calls):
            heard.calls.append(piece)
        else:
            known = heard.calls[piece.index]
            whole = known.arguments + piece.arguments
            heard.calls[piece.index] = type(known)(
                known.index, known.id, known.name, whole
            )
    return heard
