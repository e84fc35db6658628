"""What a face writes: the protocols that the exchange asks, and who answers errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from inference.core.requests import Delta
from inference.protocol.errors import error_body, error_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.collected import CollectedAnswer
    from inference.core.errors import InferenceError
    from inference.protocol.sse import Event

T_contra = TypeVar("T_contra", contravariant=True)
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Face:
    """How one wire format answers errors: body by error and request id, headers.

    Every answer carries the request's id under each of `id_headers`.
    """

    error_body: Callable[[InferenceError, str], bytes]
    error_headers: Callable[[InferenceError], dict[str, str]] = error_headers
    id_headers: tuple[str, ...] = ("x-request-id",)


OPENAI = Face(lambda error, _request_id: error_body(error))


class StreamWriter(Protocol[T_contra]):
    """Writes what a source hands out as the events of one stream.

    The exchange owns when each is said; names and shapes are the face's.
    """

    def keep_alive(self) -> bytes:
        """Return the bytes of a stream in which nothing happens for a while."""

    def events(self, item: T_contra) -> Sequence[Event]:
        """Return the events that tell of `item`, in order; none if it is bare."""

    def ending(self) -> Sequence[Event]:
        """Return what follows the last item."""

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return what a stream that fails midway ends with."""


class AnswerWriter(StreamWriter[Delta], Protocol):
    """Writes one answer of a model, as a stream or whole."""

    def whole(self, answer: CollectedAnswer) -> bytes:
        """Return the body of an answer that is not streamed."""


@runtime_checkable
class KeepingWriter(Protocol):
    """A writer whose answer is also kept, apart from the record."""

    async def keep(self) -> None:
        """Keep the answer as it was told so far, or ended; awaited once it ends.

        The client cannot know of the end before.
        """


async def keep_told(writer: object) -> None:
    """Have a writer keep its answer, if it is one that does."""
    if isinstance(writer, KeepingWriter):
        await writer.keep()


class DeltaSource(Protocol[T_co]):
    """Hands out what a stream tells of, until it ends."""

    @property
    def is_ended(self) -> bool:
        """Whether everything was taken."""

    async def take(self, patience_s: float | None = None) -> Sequence[T_co]:
        """Return what is new; nothing after `patience_s` seconds without any.

        Raises:
            InferenceError: there will be no more, and why.
        """
