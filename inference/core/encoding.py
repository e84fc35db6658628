"""What is asked of an encoder and what it answers: frozen, in no wire format."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from inference.core.requests import TextPrompt, TokenPrompt

# In place of a number of tokens: as many as the model reads.
CUT_TO_FIT = -1


class PairPrompt(msgspec.Struct, frozen=True, tag="pair"):
    """A query and a text, which a cross-encoder reads together."""

    query: str
    text: str


EncoderInput = TextPrompt | TokenPrompt | PairPrompt


class EncoderTraits(msgspec.Struct, frozen=True):
    """What a model makes of an input.

    A vector of `width` numbers, or the one number of a cross-encoder, which `scores`
    pairs. The vectors of a model that was trained for it may be cut, to one of
    `dimensions` or, where `is_cuttable` and none are named, to any length.
    """

    width: int
    scores: bool = False
    is_cuttable: bool = False
    dimensions: tuple[int, ...] = ()

    def takes(self, dimensions: int) -> bool:
        """Whether a vector of so many numbers means what the whole one does."""
        if dimensions == self.width:
            return True
        if self.dimensions:
            return dimensions in self.dimensions
        return self.is_cuttable and dimensions < self.width


class Embed(msgspec.Struct, frozen=True, kw_only=True):
    """Work: make a vector of each input.

    Inputs of more than `truncate_to` tokens are cut; `None`: none is cut, and one that
    is too long is refused. `is_single`: the client sent one input, and no array.
    """

    inputs: tuple[TextPrompt | TokenPrompt, ...]
    dimensions: int | None = None
    truncate_to: int | None = None
    is_single: bool = False

    def reads(self, traits: EncoderTraits) -> tuple[EncoderInput, ...]:
        """Return what a model reads."""
        return self.inputs

    def compares(self, traits: EncoderTraits) -> bool:
        """Whether the likeness of vectors is asked for, in place of them."""
        return False

    def path_of(self, place: int, traits: EncoderTraits) -> str:
        """Return where the client wrote the input at `place`."""
        return "input" if self.is_single else f"input[{place}]"


class Rerank(msgspec.Struct, frozen=True, kw_only=True):
    """Work: tell how relevant each document is to a query.

    `truncate_to` as in `Embed`; of a pair, the document is cut.
    """

    query: str
    documents: tuple[str, ...]
    truncate_to: int | None = None

    @property
    def texts(self) -> tuple[TextPrompt, ...]:
        """The query, then the documents."""
        return tuple(map(TextPrompt, (self.query, *self.documents)))

    @property
    def dimensions(self) -> None:
        """Vectors are compared whole."""

    def reads(self, traits: EncoderTraits) -> tuple[EncoderInput, ...]:
        """Return what such a model reads: pairs, or the query and then the documents."""
        if traits.scores:
            return tuple(PairPrompt(self.query, text) for text in self.documents)
        return self.texts

    def compares(self, traits: EncoderTraits) -> bool:
        """Whether the likeness of vectors is asked for, in place of them."""
        return not traits.scores

    def path_of(self, place: int, traits: EncoderTraits) -> str:
        """Return where the client wrote the input at `place`."""
        if traits.scores:
            return f"documents[{place}]"
        return f"documents[{place - 1}]" if place else "query"


AnyWork = TypeVar("AnyWork", bound=Embed | Rerank)


class EncoderRequest(msgspec.Struct, Generic[AnyWork], frozen=True, kw_only=True):
    """What a client asks of an encoder; `model` and `params` as in its siblings."""

    work: AnyWork
    model: str | None = None
    params: dict[str, Any] = {}

    @property
    def prompts(self) -> tuple[TextPrompt | TokenPrompt, ...]:
        """The texts and token ids that it carries."""
        work = self.work
        return work.inputs if isinstance(work, Embed) else work.texts


class Encoded(msgspec.Struct, frozen=True):
    """What a model made of inputs: `width` little-endian float32 for each, in order.

    `tokens` is what all inputs have together.
    """

    values: bytes
    width: int
    tokens: int = 0

    @property
    def vectors(self) -> list[bytes]:
        """Each input's numbers."""
        size = 4 * self.width
        return [
            self.values[start : start + size]
            for start in range(0, len(self.values), size)
        ]


class Relevance(msgspec.Struct, frozen=True):
    """How relevant each document is, in their order; `by_vectors`: by cosines."""

    scores: tuple[float, ...]
    tokens: int
    by_vectors: bool
