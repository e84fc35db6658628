"""A completion on the wire, whole and in chunks: owns its shape and encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import Usage
from inference.protocol.shapes import LEAST_LOGPROB, usage_body
from inference.protocol.sse import COMMENT, DONE, Event, error_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.core.collected import CollectedAnswer
    from inference.core.errors import InferenceError
    from inference.core.requests import Delta, TokenLogprob
    from inference.protocol.stream_options import StreamOptions

_encode = msgspec.json.Encoder().encode


class CompletionWriter:
    """Writes one request's answer as a text_completion, or as its chunks.

    `n` choices go on from each prompt, and all of them tell of its tokens. `server` is
    the server's name and version.
    """

    def __init__(
        self,
        request_id: str,
        created: int,
        model: str,
        options: StreamOptions,
        *,
        n: int = 1,
        server: str,
    ) -> None:
        self._stamp = {
            "id": f"cmpl-{request_id.removeprefix('req-')}",
            "object": "text_completion",
            "created": created,
            "model": model,
            "system_fingerprint": f"{server}/{model}",
        }
        self._options = options
        self._n = n
        self._usage = Usage()
        self._told: dict[int, int] = {}
        self._scores: dict[int, Sequence[TokenLogprob]] = {}

    def keep_alive(self) -> bytes:
        """Return a comment."""
        return COMMENT

    def whole(self, answer: CollectedAnswer) -> bytes:
        """Return the body of the whole answer."""
        choices = []
        for index, choice in answer.choices:
            prompt = index // self._n
            self._scores.setdefault(prompt, choice.prompt_logprobs)
            scores = self._scores[prompt] if choice.prompt_text else ()
            text = choice.prompt_text + choice.text
            told = (
                logprobs_of(scores, choice.logprobs)
                if choice.logprobs or scores
                else None
            )
            choices.append(_choice(index, text, told, choice.finish_reason))
        usage = usage_body(answer.usage)
        return _encode({**self._stamp, "choices": choices, "usage": usage})

    def events(self, delta: Delta) -> Sequence[Event]:
        """Return the chunk that tells of `delta`; none if it is bare."""
        self._usage = delta.usage or self._usage
        prompt = delta.index // self._n
        if delta.prompt_logprobs:
            self._scores[prompt] = delta.prompt_logprobs
        scores = self._scores.get(prompt, ()) if delta.prompt_text else ()
        text = delta.prompt_text + delta.text
        if not text and delta.finish_reason is None:
            return ()
        offset = self._told.get(delta.index, 0)
        self._told[delta.index] = offset + len(text)
        told = None
        if delta.logprobs or scores:
            told = logprobs_of(scores, delta.logprobs, offset=offset)
        chunk = {
            **self._stamp,
            "choices": [_choice(delta.index, text, told, delta.finish_reason)],
        }
        if self._options.continuous_usage:
            chunk["usage"] = usage_body(self._usage)
        elif self._options.include_usage:
            chunk["usage"] = None
        return (Event(_encode(chunk)),)

    def ending(self) -> Sequence[Event]:
        """Return the usage, where it was asked for, and the end."""
        if not self._options.include_usage:
            return (DONE,)
        usage = {**self._stamp, "choices": [], "usage": usage_body(self._usage)}
        return (Event(_encode(usage)), DONE)

    def failed(self, error: InferenceError) -> Sequence[Event]:
        """Return the error; no `[DONE]` follows it."""
        return (error_event(error),)


def logprobs_of(
    prompt: Sequence[TokenLogprob], answer: Iterable[TokenLogprob], *, offset: int = 0
) -> dict[str, Any]:
    """The log probabilities of a prompt's tokens, then of an answer's.

    Nothing stands before the first token of a prompt, so it has none. `offset` is
    where the first token stands in the text.
    """
    body: dict[str, Any] = {
        "tokens": [],
        "token_logprobs": [],
        "top_logprobs": [],
        "text_offset": [],
    }
    entries = (*prompt, *answer)
    for place, entry in enumerate(entries):
        text = _text(entry.token)
        is_first = place == 0 and bool(prompt)
        body["tokens"].append(text)
        body["token_logprobs"].append(
            None if is_first else max(entry.logprob, LEAST_LOGPROB)
        )
        body["top_logprobs"].append(
            None
            if is_first
            else {
                _text(top.token): max(top.logprob, LEAST_LOGPROB) for top in entry.top
            }
        )
        body["text_offset"].append(offset)
        offset += len(text)
    return body


def _choice(
    index: int, text: str, logprobs: dict[str, Any] | None, finish: str | None
) -> dict[str, Any]:
    return {
        "text": text,
        "index": index,
        "logprobs": logprobs,
        "finish_reason": finish,
    }


def _text(token: bytes) -> str:
    return token.decode("utf-8", "replace")
