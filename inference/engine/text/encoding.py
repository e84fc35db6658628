"""Prompts to tokens: those that cannot fit are refused, long ones encoded apart."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from inference.core.errors import ContextLengthExceededError
from inference.core.limits import KIB
from inference.engine.text.encoder_process import EncoderProcess
from inference.engine.text.token_lengths import longest_token_chars
from inference.prompting.encoder import tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# A longer text is encoded by a process of its own; and this much of it is counted
# at a time before.
LONG_CHARS = 64 * KIB
# Two pieces of a text may have so many tokens more than both have together.
BORDER_TOKENS = 16


class ModelEncoder:
    """Encodes the prompts of one model. Any thread may ask.

    Fast tokenizers serve all threads at once; others, written in Python, serve one.
    """

    def __init__(self, tokenizer: Any, *, context_length: int) -> None:
        self._tokenizer = tokenizer
        self._context_length = context_length
        self.backend_tokenizer = getattr(tokenizer, "backend_tokenizer", None)
        self._process: EncoderProcess | None = None
        self._longest: int | None = None
        self._plain = _plain_backend(tokenizer)
        self._lock = threading.Lock() if self._plain is None else nullcontext()
        if self._plain is not None:
            # Nobody may change them while others encode.
            self._plain.no_truncation()
            self._plain.no_padding()
            self._plain.encode_special_tokens = False
            described = self._plain.to_str()
            self._process = EncoderProcess(described)
            self._longest = longest_token_chars(json.loads(described))

    def admit(self, text: str) -> None:
        """Refuse a text that leaves no room for an answer, and be quick about it.

        It is told by its characters, else by the tokens of its pieces: what passes
        may still be a little too long.

        Raises:
            ContextLengthExceededError: it is too long.
        """
        if self._longest is not None:
            self._refuse(-(-len(text) // self._longest))
        if len(text) <= LONG_CHARS:
            return
        tokens = BORDER_TOKENS
        for start in range(0, len(text), LONG_CHARS):
            tokens += self._count(text[start : start + LONG_CHARS]) - BORDER_TOKENS
            self._refuse(tokens)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return a text's tokens, as its tokenizer does with these options.

        Raises:
            InvalidRequestError: it is a long text, and encoding it takes too much
                time or memory.
        """
        if self._process is not None and len(text) > LONG_CHARS:
            return self._process.encode(text, **options)
        with self._lock:
            return list(self._tokenizer.encode(text, **options))

    def encode_bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, and nothing around them.

        Raises:
            InvalidRequestError: as in `encode`.
        """
        if self._plain is None or any(len(text) > LONG_CHARS for text in texts):
            return [self.encode(text, add_special_tokens=False) for text in texts]
        found = self._plain.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def _count(self, piece: str) -> int:
        if self._plain is not None:
            return len(tokens_of(self._plain, piece, add_special_tokens=False))
        return len(self.encode(piece, add_special_tokens=False))

    def _refuse(self, tokens: int) -> None:
        if tokens >= self._context_length:
            raise too_long(tokens, self._context_length, "at least ")


def too_long(
    tokens: int, context_length: int, about: str = ""
) -> ContextLengthExceededError:
    """Return the refusal of a prompt that leaves no room for an answer."""
    return ContextLengthExceededError(
        f"This model's maximum context length is {context_length} tokens; your "
        f"messages are {about}{tokens} tokens, which leaves no room for an answer.",
        param="messages",
        figures={"prompt_tokens": tokens, "context_length": context_length},
    )


def inner_tokenizer(tokenizer: Any) -> Any:
    """Return the Hugging Face tokenizer in mlx-lm's, or what is one itself."""
    if isinstance(tokenizer, PreTrainedTokenizerBase):
        return tokenizer
    return getattr(tokenizer, "_tokenizer", tokenizer)


def names_of(tokenizer: Any, tokens: list[int]) -> list[str]:
    """Return tokens as the vocabulary has them; without one, as they are read."""
    named = getattr(tokenizer, "convert_ids_to_tokens", None)
    if named is None:
        return [tokenizer.decode([token]) for token in tokens]
    return ["" if name is None else str(name) for name in named(tokens)]


def _plain_backend(tokenizer: Any) -> Any:
    """Return what encodes just as `tokenizer` does, in Rust; `None`: nothing does."""
    inner = inner_tokenizer(tokenizer)
    kind = type(inner)
    is_plain = (
        isinstance(inner, PreTrainedTokenizerFast)
        and kind.encode is PreTrainedTokenizerBase.encode
        and kind._encode_plus is PreTrainedTokenizerFast._encode_plus  # noqa: SLF001
        and not inner.split_special_tokens
    )
    return inner.backend_tokenizer if is_plain else None
