"""The text of one sequence: from tokens to what may be shown of them.

Lives on the sender's thread: detokenizes, tells thinking and calls from text,
and matches log-probabilities with the text they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.frames import joined_calls
from inference.dialects.answers import AnswerParser
from inference.engine.answers.spelling import TokenSpelling
from inference.parsing.pieces import Pieces

if TYPE_CHECKING:
    import numpy as np

    from inference.core.requests import SamplingSpec, TokenLogprob
    from inference.engine.answers.plans import PreparedPrompt
    from inference.engine.text.formats import ModelFormats
    from inference.engine.text.vocabulary import Vocabulary

_REPLACEMENT = "\ufffd"
_NOTHING = Pieces()


def joined(first: Pieces, then: Pieces) -> Pieces:
    """Return two pieces of one answer as one."""
    return Pieces(
        text=first.text + then.text,
        reasoning=first.reasoning + then.reasoning,
        calls=joined_calls((*first.calls, *then.calls)),
    )


class SequenceText:
    """What one sequence has said, as far as it is safe to show.

    `tokens` and `reasoning_tokens` count what was taken. `add` and `finish`
    return what became readable; `logprobs` what is known of its tokens.
    """

    def __init__(
        self,
        detokenizer: Any,
        parser: AnswerParser,
        *,
        spelling: TokenSpelling | None = None,
    ) -> None:
        self._detokenizer = detokenizer
        self._parser = parser
        self._spelling = spelling
        self.tokens = 0
        self.reasoning_tokens = 0
        self.logprobs: tuple[TokenLogprob, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether nothing more is wanted: a stop string, or the one call allowed."""
        return self._parser.stopped or self._parser.is_complete

    @property
    def stop_met(self) -> str:
        """The stop string that ended the answer; empty: none did."""
        return self._parser.stop_met

    @property
    def has_calls(self) -> bool:
        """Whether the answer has called a tool."""
        return self._parser.calls_made > 0

    @property
    def warning(self) -> str:
        """What went wrong without ending the answer."""
        return "; ".join(self._parser.warnings)

    def add(
        self, token: int, logits: np.ndarray | None = None, *, is_held: bool = False
    ) -> Pieces:
        """Take a visible token and return what it completed.

        `is_held`: a grammar holds what follows as a call.
        """
        self.tokens += 1
        was_thinking = self._parser.is_thinking
        in_call = self._parser.in_call
        self._detokenizer.add_token(token)
        pieces = self._parser.feed(self._detokenizer.last_segment, is_held=is_held)
        if was_thinking or self._parser.is_thinking:
            self.reasoning_tokens += 1
        if self._spelling is not None:
            if logits is not None and not (was_thinking or in_call):
                self._spelling.add(token, logits)
            self.logprobs = self._spelling.covered_by(pieces.text)
        return pieces

    def count_hidden(self) -> None:
        """Count a token that has no text, as the end-of-sequence token."""
        self.tokens += 1

    def finish(self, *, is_cut: bool = False) -> Pieces:
        """Return the rest; half of a character at the very end is left out.

        `is_cut`: the model did not end the answer itself.
        """
        try:
            self._detokenizer.finalize()
        except KeyError:
            # mlx-lm's byte table has no entry for some special tokens' characters.
            rest = _NOTHING
        else:
            rest = self._parser.feed(
                self._detokenizer.last_segment.rstrip(_REPLACEMENT)
            )
        pieces = joined(rest, self._parser.finish(is_cut=is_cut))
        if self._spelling is not None:
            self.logprobs = self._spelling.covered_by(pieces.text, is_last=True)
        return pieces


@dataclass(frozen=True, slots=True)
class AnswerTexts:
    """Opens the text of each new sequence of one model."""

    tokenizer: Any
    formats: ModelFormats
    vocabulary: Vocabulary

    def open_bare(self) -> SequenceText:
        """Return the text of a sequence that will not say anything."""
        return SequenceText(self.tokenizer.detokenizer, AnswerParser())

    def open(self, prompt: PreparedPrompt, spec: SamplingSpec) -> SequenceText:
        """Return the text of a sequence that answers `prompt`."""
        parser = AnswerParser(
            prompt.dialects,
            stops=spec.stop,
            opened=self.formats.think_start or "" if prompt.opens_thinking else "",
            calling=prompt.calling,
            continues=prompt.follows is not None,
        )
        spelling = None
        if spec.logprobs is not None:
            spelling = TokenSpelling(self.vocabulary.bytes_of, top=spec.logprobs)
        detokenizer = self.tokenizer.detokenizer
        if prompt.follows is not None:
            # mlx-lm's leave the blank before a first word out; this one is none.
            detokenizer.add_token(prompt.follows)
            _ = detokenizer.last_segment
        return SequenceText(detokenizer, parser, spelling=spelling)
