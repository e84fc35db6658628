"""The token that ends a turn, for models whose files name none: as their template does."""

from __future__ import annotations

from typing import Any

from inference.prompting.rendering import text_of

_ASKED, _SAID = "kestrel", "lapwing"
_TURNS = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": _SAID}]


def names_end(*files: dict[str, Any]) -> bool:
    """Whether one of a model's files, as objects, names a token that ends answers."""
    return any(
        file.get(key) not in (None, "", [])
        for file in files
        for key in ("eos_token_id", "eos_token")
    )


def turn_end_of(tokenizer: Any) -> tuple[int, str] | None:
    """Return the special token that its template writes after an assistant's words.

    Of a conversation that ends with them, so that it is none that begins a turn.
    """
    if not tokenizer.has_chat_template:
        return None
    try:
        text = text_of(tokenizer, _TURNS, is_open=True)
    except Exception:  # noqa: BLE001 -- templates raise what they like
        return None
    before, said, after = text.rpartition(_SAID)
    if not before or not said:
        return None
    after = after.lstrip()
    inner = getattr(tokenizer, "_tokenizer", tokenizer)
    found = [
        (token, added.content)
        for token, added in inner.added_tokens_decoder.items()
        if added.special and after.startswith(added.content)
    ]
    return max(found, key=lambda one: len(one[1]), default=None)
