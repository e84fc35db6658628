"""What a prompt is made of, on the wire: vLLM's shape, and the prompt beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from inference.core.frames import PromptPrepared


def tokenized(prepared: PromptPrepared, *, with_names: bool) -> bytes:
    """Return the body that tells a prompt's tokens."""
    return msgspec.json.encode(_tokens(prepared, with_names=with_names))


def rendered(prepared: PromptPrepared, model: str) -> bytes:
    """Return the body that tells a conversation's prompt, and its tokens."""
    assert prepared.spelled is not None
    return msgspec.json.encode(
        {
            "object": "chat.completion.render",
            "model": model,
            "prompt": prepared.spelled.text,
            **_tokens(prepared, with_names=False),
        }
    )


def _tokens(prepared: PromptPrepared, *, with_names: bool) -> dict[str, Any]:
    spelled = prepared.spelled
    assert spelled is not None
    return {
        "count": prepared.tokens,
        "max_model_len": spelled.context_length,
        "tokens": msgspec.Raw(spelled.tokens),
        "token_strs": msgspec.Raw(spelled.names) if with_names else None,
    }
