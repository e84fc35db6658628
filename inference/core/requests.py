"""One generation request as every room sees it: frozen, validated, no wire format.

`None` in a sampling field means "not given": the model's own defaults, then the
server's, fill it before the worker sees it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from inference.core.outcomes import RequestKind


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Text of a message."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """An image of a message: a data URL or an http(s) URL, not yet fetched."""

    url: str
    detail: str = "auto"


ContentPart = TextPart | ImagePart


class ChatMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation; `role` is system, developer, user, assistant or tool."""

    role: str
    content: tuple[ContentPart, ...] = ()
    name: str | None = None

    @property
    def text(self) -> str:
        """The text parts joined, without images."""
        return "".join(p.text for p in self.content if isinstance(p, TextPart))

    @property
    def has_images(self) -> bool:
        """Whether any part is an image."""
        return any(isinstance(p, ImagePart) for p in self.content)


class SamplingRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the client asked of the sampler; `None` where it asked nothing.

    `max_tokens` counts completion tokens. `top_k` 0 and `min_p` 0.0 mean off;
    `logit_bias` holds pairs of token id and bias.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()


class SamplingSpec(msgspec.Struct, frozen=True):
    """The sampler's settings with every default filled in: what the worker gets.

    Presence and frequency penalties count completion tokens, as OpenAI's do;
    the repetition penalty counts the prompt's too, as Hugging Face's does.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 4096
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()

    @property
    def adjusts_logits(self) -> bool:
        """Whether anything but temperature and filters moves the logits."""
        return bool(
            self.presence_penalty
            or self.frequency_penalty
            or self.repetition_penalty != 1.0
            or self.logit_bias
            or self.min_tokens
        )


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A chat request after validation.

    `model` is the name as the client wrote it, or `None` when it named none.
    `params` holds the parameters as sent, for the record; never messages.
    """

    messages: tuple[ChatMessage, ...]
    model: str | None = None
    sampling: SamplingRequest = SamplingRequest()
    stream: bool = False
    include_usage: bool = False
    params: dict[str, Any] = {}

    @property
    def has_images(self) -> bool:
        """Whether any message carries an image."""
        return any(m.has_images for m in self.messages)

    @property
    def kind(self) -> RequestKind:
        """Text or vision, streamed or not."""
        return RequestKind.of(vision=self.has_images, stream=self.stream)


class Usage(msgspec.Struct, frozen=True):
    """Token counts of a generation, by the model's own tokenizer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


class Delta(msgspec.Struct, frozen=True):
    """What became readable since the last delta of one choice.

    The last delta of a choice carries `finish_reason` (and possibly no text);
    the last delta of a generation carries `usage`.
    """

    text: str = ""
    index: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None
