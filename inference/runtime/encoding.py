"""What an encoder makes of a request's inputs: the first half of a generation's way."""

from __future__ import annotations

import asyncio
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inference.core.encoding import Relevance
from inference.core.errors import InvalidRequestError, WrongModelKindError
from inference.core.limits import DEFAULT_LIMITS
from inference.core.outcomes import Phase
from inference.runtime.kinds import refuse_to_encode
from inference.runtime.steps import AdmissionSteps

if TYPE_CHECKING:
    from inference.core.encoding import Embed, Encoded, EncoderTraits, Rerank
    from inference.core.frames import PromptPrepared
    from inference.runtime.worker_protocol import Worker

# What a row says where no cross-encoder was named.
BY_VECTORS = "ranked by the cosines of embeddings: the model is no cross-encoder"


class Encoding(AdmissionSteps):
    """One request's way to an encoder's answer; all it took is given back at the end."""

    async def embed(self, work: Embed) -> Encoded:
        """Return a vector of each input.

        Raises:
            InferenceError: whatever kept them from being made.
        """
        self._refuse_early()
        return await self._in_time(self._embed(work))

    async def rerank(self, work: Rerank) -> Relevance:
        """Return how relevant each document is to the query.

        Raises:
            InferenceError: whatever kept it from being told.
        """
        self._refuse_early()
        return await self._in_time(self._rerank(work))

    def _refuse_early(self) -> None:
        refuse_to_encode(self._model.source)
        self._model.queue.refuse_if_hopeless()

    async def _embed(self, work: Embed) -> Encoded:
        with ExitStack() as held:
            worker, traits = await self._use_worker(held)
            self._refuse_vectors(work, traits)
            return await self._encode(worker, work, traits, held)

    async def _rerank(self, work: Rerank) -> Relevance:
        with ExitStack() as held:
            worker, traits = await self._use_worker(held)
            found = await self._encode(worker, work, traits, held)
        scores = struct.unpack(f"<{len(found.values) // 4}f", found.values)
        if traits.scores:
            return Relevance(scores, found.tokens, by_vectors=False)
        self._trace.warn(BY_VECTORS)
        return Relevance(scores[1:], found.tokens, by_vectors=True)

    async def _use_worker(self, held: ExitStack) -> tuple[Worker, EncoderTraits]:
        worker = await self._wait_for_worker()
        # Nothing is awaited in between: what is ready now is leased now.
        held.enter_context(self._model.use.lease())
        loaded = self._model.loaded
        if loaded is None or loaded.encoder is None:
            raise WrongModelKindError(
                f"The model `{self._model.key}` was loaded without embeddings. Its "
                "notes in /v1/models say why, or its settings changed since: then "
                "unload it.",
                param="model",
            )
        return worker, loaded.encoder

    def _refuse_vectors(self, work: Embed, traits: EncoderTraits) -> None:
        if traits.scores:
            raise WrongModelKindError(
                f"The model `{self._model.key}` scores pairs of texts and makes no "
                "embeddings; /v1/rerank uses it.",
                param="model",
            )
        if work.dimensions is not None and not traits.takes(work.dimensions):
            raise InvalidRequestError(
                f"Unsupported parameter: 'dimensions' {_why_not(traits)}",
                param="dimensions",
                code="unsupported_parameter",
            )

    async def _encode(
        self,
        worker: Worker,
        work: Embed | Rerank,
        traits: EncoderTraits,
        held: ExitStack,
    ) -> Encoded:
        """Have inputs prepared, wait for a seat, and have them encoded."""
        self._trace.enter(Phase.PREPARE)
        with self._patience("The inputs could not be prepared in time.") as patience_s:
            async with asyncio.timeout(patience_s):
                prepared = await _prepared(worker, work, traits)
        held.callback(worker.drop, prepared.prompt_id)
        self._trace.prepared([prepared])
        _refuse_many_tokens(prepared.tokens)
        await self._take_seats(held)
        self._trace.enter(Phase.PREFILL)
        try:
            async with asyncio.timeout(self._deadline.timeout_s):
                encoded = await worker.encode(
                    prepared,
                    dimensions=work.dimensions,
                    compares=work.compares(traits),
                )
        except TimeoutError:
            raise self._deadline.error() from None
        self._trace.model_holds(self._model.measured_bytes)
        return encoded


async def _prepared(
    worker: Worker, work: Embed | Rerank, traits: EncoderTraits
) -> PromptPrepared:
    """Have tokens made of inputs; the one at fault is named as the client wrote it."""
    try:
        return await worker.prepare_inputs(
            work.reads(traits), truncate_to=work.truncate_to
        )
    except InvalidRequestError as error:
        if "place" not in error.figures:
            raise
        figures = dict(error.figures)
        path = work.path_of(figures.pop("place"), traits)
        raise InvalidRequestError(
            f"Invalid '{path}': {error.message}",
            param=path,
            code=error.code,
            figures=figures,
        ) from None


def _refuse_many_tokens(tokens: int) -> None:
    most = DEFAULT_LIMITS.input_tokens
    if tokens > most:
        raise InvalidRequestError(
            f"The inputs have {tokens:,} tokens together; a request may have {most:,}. "
            "Send them in several requests.",
            param="input",
            code="too_many_tokens",
            figures={"prompt_tokens": tokens, "most_tokens": most},
        )


def _why_not(traits: EncoderTraits) -> str:
    """Return the rest of the sentence for dimensions that a model does not have."""
    if traits.dimensions:
        known = ", ".join(map(str, sorted({*traits.dimensions, traits.width})))
        return f"is one of {known} for this model."
    if traits.is_cuttable:
        return f"is at most {traits.width} for this model."
    return (
        f"is not supported by this model, whose vectors have {traits.width} numbers: "
        "it was not trained for shorter ones. Leave it out."
    )
