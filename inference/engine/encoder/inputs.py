"""Inputs to tokens: what the tokenizer puts around a text stays, what is too long goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.encoding import CUT_TO_FIT, EncoderInput, PairPrompt
from inference.core.errors import ContextLengthExceededError, InvalidRequestError
from inference.core.requests import TextPrompt, TokenPrompt
from inference.engine.text.encoding import ModelEncoder, inner_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

# Any text that is a token or two; what a tokenizer puts around it goes around all.
_PROBE = "a"


@dataclass(frozen=True, slots=True)
class TokenisedInput:
    """The tokens of an input; from `second` on they are of a pair's second text."""

    tokens: list[int]
    second: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The tokens before a text, after it, and between the two of a pair."""

    before: list[int]
    after: list[int]
    between: list[int]

    @classmethod
    def of(cls, tokenizer: Any) -> Surroundings:
        """Find out what a tokenizer puts around texts."""
        bare = list(tokenizer.encode(_PROBE, add_special_tokens=False))
        whole = list(tokenizer.encode(_PROBE))
        pair = list(tokenizer.encode(_PROBE, _PROBE))
        start, size = _find(bare, whole), len(bare)
        first, last = _find(bare, pair), len(pair) - _find(bare[::-1], pair[::-1])
        return cls(
            whole[:start],
            whole[start + size :],
            pair[first + size : last - size],
        )

    def around(self, text: list[int]) -> TokenisedInput:
        """Return a text with what goes around it."""
        return TokenisedInput(self.before + text + self.after)

    def around_pair(self, query: list[int], text: list[int]) -> TokenisedInput:
        """Return a pair with what goes around it."""
        first = self.before + query + self.between
        return TokenisedInput(first + text + self.after, second=len(first))


class InputReader:
    """Reads the inputs of one model; any thread may ask."""

    def __init__(self, tokenizer: Any, *, context_length: int, vocabulary: int) -> None:
        self._encoder = ModelEncoder(tokenizer, context_length=context_length)
        self._around = Surroundings.of(inner_tokenizer(tokenizer))
        self._context_length = context_length
        self._vocabulary = vocabulary

    def read(
        self, inputs: Sequence[EncoderInput], truncate_to: int | None
    ) -> tuple[list[TokenisedInput], int]:
        """Return the inputs' tokens, and how many inputs were cut.

        Raises:
            InvalidRequestError: one cannot be read or is too long; the figure `place`
                tells which.
        """
        if truncate_to == CUT_TO_FIT:
            truncate_to = self._context_length
        if truncate_to is None:
            self._admit(inputs)
        bare = iter(self._encoder.encode_bare(_texts(inputs)))
        found, cut = [], 0
        for place, each in enumerate(inputs):
            read, is_cut = self._fitting(each, bare, truncate_to)
            if not read.tokens:
                raise _refused(place, "it has no tokens.")
            self._refuse_long(place, len(read.tokens))
            cut += is_cut
            if isinstance(each, TokenPrompt):
                self._refuse_unknown(place, each.tokens)
            found.append(read)
        return found, cut

    def _fitting(
        self, each: EncoderInput, bare: Any, truncate_to: int | None
    ) -> tuple[TokenisedInput, bool]:
        """Return an input's tokens, and whether they are not all of them."""
        around = self._around
        match each:
            case TokenPrompt():
                kept = list(each.tokens[:truncate_to])
                return TokenisedInput(kept), len(kept) < len(each.tokens)
            case TextPrompt():
                text = next(bare)
                taken = len(around.before) + len(around.after)
                kept = _cut(text, truncate_to, taken)
                return around.around(kept), len(kept) < len(text)
            case PairPrompt():
                query, text = next(bare), next(bare)
                taken = len(around.around_pair(query, []).tokens)
                kept = _cut(text, truncate_to, taken)
                return around.around_pair(query, kept), len(kept) < len(text)

    def _admit(self, inputs: Sequence[EncoderInput]) -> None:
        """Refuse a text that is far too long before all of it is read."""
        for place, each in enumerate(inputs):
            text = "" if isinstance(each, TokenPrompt) else each.text
            try:
                self._encoder.admit(text)
            except ContextLengthExceededError as error:
                self._refuse_long(place, error.figures["prompt_tokens"], "at least ")

    def _refuse_long(self, place: int, tokens: int, about: str = "") -> None:
        if tokens > self._context_length:
            raise ContextLengthExceededError(
                f"it has {about}{tokens} tokens, and this model reads at most "
                f"{self._context_length}. Shorten it, or send 'truncate_prompt_tokens' "
                "to have it cut.",
                figures={
                    "place": place,
                    "prompt_tokens": tokens,
                    "context_length": self._context_length,
                },
            )

    def _refuse_unknown(self, place: int, tokens: Sequence[int]) -> None:
        unknown = next((t for t in tokens if t >= self._vocabulary), None)
        if unknown is not None:
            why = f"token {unknown} does not exist, the model has {self._vocabulary}."
            raise _refused(place, why)


def _texts(inputs: Sequence[EncoderInput]) -> list[str]:
    """Return the texts of inputs, in their order."""
    texts: list[str] = []
    for each in inputs:
        if isinstance(each, PairPrompt):
            texts += (each.query, each.text)
        elif isinstance(each, TextPrompt):
            texts.append(each.text)
    return texts


def _cut(text: list[int], truncate_to: int | None, taken: int) -> list[int]:
    """Return what of a text fits beside `taken` tokens.

    Raises:
        InvalidRequestError: nothing does.
    """
    if truncate_to is None:
        return text
    if truncate_to <= taken:
        raise InvalidRequestError(
            f"Invalid 'truncate_prompt_tokens': {truncate_to} leave no room for text "
            f"beside {taken} tokens that stand around it.",
            param="truncate_prompt_tokens",
        )
    return text[: truncate_to - taken]


def _find(part: list[int], whole: list[int]) -> int:
    """Return where a part stands in a list; at its end where it does not."""
    size = len(part)
    places = range(len(whole) - size + 1)
    return next((at for at in places if whole[at : at + size] == part), len(whole))


def _refused(place: int, why: str) -> InvalidRequestError:
    return InvalidRequestError(why, figures={"place": place})
