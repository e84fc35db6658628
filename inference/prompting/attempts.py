"""The ways a conversation may be put to a template, the one that changes least first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.prompting.alternation import Fold, Turn, normalised
from inference.prompting.turns import as_parts, native_turns, written_turns
from inference.prompting.writing import CALLS_WRITTEN, RESULTS_WRITTEN, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.core.requests import ChatMessage, ToolUse
    from inference.prompting.traits import TemplateTraits

_WRITTEN = "tools and their messages were written out in words"
# What may be done to turns: which system turns are folded, whether roles alternate.
_MEASURES = (
    (Fold.NONE, False),
    (Fold.LATER, False),
    (Fold.ALL, False),
    (Fold.LATER, True),
    (Fold.ALL, True),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Turns to try, and what was done to them.

    `is_written`: calls, results and tools are words in them. `must_show` are the
    system messages' texts, which a template may leave out without a word.
    """

    turns: list[Turn]
    warnings: tuple[str, ...]
    is_written: bool
    must_show: tuple[str, ...]


def attempts(
    messages: tuple[ChatMessage, ...], tools: ToolUse | None, traits: TemplateTraits
) -> Iterator[Attempt]:
    """Yield what to try, each different from those before.

    What the template is known to refuse is not tried. Where a template knows tools
    and yet refuses these messages of theirs, they are written out.
    """
    tried: list[list[Turn]] = []
    for is_written in (False, True) if traits.knows_tools else (True,):
        written = traits.all_written if is_written else traits.written
        said, notes = in_words(messages, written, traits.words)
        if is_written:
            turns = written_turns(said, tools, traits.thinking_key)
            notes = _of_all_written(notes, tools)
        else:
            turns = native_turns(said, traits.dialect, traits.thinking_key)
        for fold, alternate in _measures_for(traits):
            changed, warnings = normalised(turns, fold=fold, alternate=alternate)
            if changed in tried:
                continue
            tried.append(changed)
            yield Attempt(
                turns=as_parts(changed) if traits.reads_parts else changed,
                warnings=(*notes, *warnings),
                is_written=is_written,
                must_show=_system_texts(turns),
            )


def _of_all_written(notes: tuple[str, ...], tools: ToolUse | None) -> tuple[str, ...]:
    """Return one note instead of those on calls and on results."""
    others = tuple(n for n in notes if n not in (CALLS_WRITTEN, RESULTS_WRITTEN))
    return (_WRITTEN, *others) if tools is not None or others != notes else notes


def _measures_for(traits: TemplateTraits) -> list[tuple[Fold, bool]]:
    return [
        (fold, alternate)
        for fold, alternate in _MEASURES
        if (alternate or not traits.alternates)
        and (fold is Fold.ALL or traits.takes_system)
    ]


def _system_texts(turns: list[Turn]) -> tuple[str, ...]:
    # Templates trim what they are given.
    texts = (turn["content"].strip() for turn in turns if turn["role"] == "system")
    return tuple(filter(None, texts))
