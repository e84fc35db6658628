"""The grammar of objects that travel along: metadata, template arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.protocol import faults, reading
from inference.protocol.fields import StrictField

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the server itself hands to a chat template, or decides for it.
_TEMPLATE_NAMES = frozenset(
    {
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "documents",
        "max_length",
        "messages",
        "padding",
        "return_assistant_tokens_mask",
        "return_dict",
        "return_tensors",
        "sanitize_control_tokens",
        "tokenize",
        "tokenizer_kwargs",
        "tools",
        "truncation",
    }
)


def _check_count(data: dict[str, Any], most: int, *, path: str, what: str) -> None:
    if len(data) > most:
        why = f"too many {what}. Expected at most {most}, but got {len(data)} instead."
        raise faults.invalid(path, why)


class TemplateArguments(StrictField):
    """Further arguments of the chat template, any JSON."""

    types = (dict,)
    what = "an object"

    def to_value(self, data: Any) -> dict[str, Any]:
        """Bound it, and keep the server's own arguments out of it."""
        path, limits = str(self.field_name), self.limits
        _check_count(data, limits.template_kwargs, path=path, what="keys")
        for key in filter(_TEMPLATE_NAMES.__contains__, data):
            raise faults.unsupported(f"{path}.{key}", "is set by the server.")
        size_bytes = len(msgspec.json.encode(data))
        if size_bytes > limits.template_kwargs_bytes:
            why = (
                "object too long. Expected at most "
                f"{limits.template_kwargs_bytes} bytes of JSON, "
                f"but got {size_bytes} instead."
            )
            raise faults.invalid(path, why)
        kwargs: dict[str, Any] = data
        return kwargs

    def type_and_range(self) -> str:
        """Say the bounds."""
        limits = self.limits
        return (
            f"object of up to {limits.template_kwargs} keys and "
            f"{limits.template_kwargs_bytes:,} bytes"
        )


class MetadataField(StrictField):
    """Pairs of strings."""

    types = (dict,)
    what = "an object"

    def to_value(self, data: Any) -> dict[str, str]:
        """Check each pair; name the one at fault by its key."""
        path, limits = str(self.field_name), self.limits
        _check_count(data, limits.metadata, path=path, what="pairs")
        for key, value in data.items():
            where = f"{path}.{faults.shown(key)}"
            if type(value) is not str:
                raise faults.wrong_type(where, "a string", value)
            if len(key) > limits.metadata_key_chars:
                why = f"key too long. Expected at most {limits.metadata_key_chars}."
                raise faults.invalid(where, why)
            if len(value) > limits.metadata_value_chars:
                raise faults.too_long(
                    where,
                    limit=limits.metadata_value_chars,
                    length=len(value),
                    what="string",
                )
        pairs: dict[str, str] = data
        return pairs

    def type_and_range(self) -> str:
        """Say the bounds."""
        limits = self.limits
        return (
            f"object of up to {limits.metadata} strings, keys of up to "
            f"{limits.metadata_key_chars} and values of up to "
            f"{limits.metadata_value_chars} characters"
        )


class Prediction(StrictField):
    """Text that the answer is expected to repeat."""

    types = (dict,)
    what = "an object"

    def to_value(self, data: Any) -> Any:
        """Check its frame."""
        path = str(self.field_name)
        kind = reading.tagged(data, path=path)
        if kind != "content":
            raise faults.wrong_value(f"{path}.type", kind, ("content",))
        content = data.get("content")
        if content is None:
            raise faults.missing(f"{path}.content")
        if type(content) not in (str, list):
            expected = "a string or an array of objects"
            raise faults.wrong_type(f"{path}.content", expected, content)
        return data

    def type_and_range(self) -> str:
        """Say its frame."""
        return '`{"type": "content", "content": ...}`'

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Name what is not in the frame."""
        return reading.others(data, {"type", "content"})
