"""The grammar of objects that travel along: metadata, template arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from inference.protocol import faults
from inference.protocol.declared import Bound, ErrorWords, Reads, Said, Standing

if TYPE_CHECKING:
    from inference.core.limits import Limits

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


def _to_arguments(sent: dict[str, Any], path: str, limits: Limits) -> dict[str, Any]:
    """Bound them, and keep the server's own arguments out of them."""
    for key in filter(_TEMPLATE_NAMES.__contains__, sent):
        raise faults.unsupported(f"{path}.{key}", "is set by the server.")
    size_bytes = len(msgspec.json.encode(sent))
    if size_bytes > limits.template_kwargs_bytes:
        why = (
            f"object too long. Expected at most {limits.template_kwargs_bytes} bytes "
            f"of JSON, but got {size_bytes} instead."
        )
        raise faults.invalid(path, why)
    return sent


TemplateArguments = Annotated[
    dict[str, Any],
    Reads(
        Annotated[dict[str, Any], Bound(max_length="template_kwargs")], _to_arguments
    ),
    Said(
        "Further arguments of the model's chat template, ignored where it does not "
        "read them. A switch of thinking goes by the template's own name.",
        takes="object of up to {0.template_kwargs} keys and "
        "{0.template_kwargs_bytes:,} bytes",
        refuses="names the server sets itself, such as `messages` or `tools`",
    ),
]

Metadata = Annotated[
    dict[
        Annotated[str, Bound(max_length="metadata_key_chars")],
        Annotated[str, Bound(max_length="metadata_value_chars")],
    ],
    Bound(max_length="metadata"),
    ErrorWords("an object", many="pairs"),
    Said(
        "Kept in the record.",
        takes="object of up to {0.metadata} strings, keys of up to "
        "{0.metadata_key_chars} and values of up to {0.metadata_value_chars} "
        "characters",
        standing=Standing.NO_EFFECT,
    ),
]


class PredictionBody(msgspec.Struct):
    """Text that the answer is expected to repeat."""

    type: Literal["content"]
    content: Annotated[str | list[Any], ErrorWords("a string or an array of objects")]


Prediction = Annotated[
    PredictionBody | None,
    Said(
        "The answer is the same without it.",
        takes='`{{"type": "content", "content": ...}}`',
        standing=Standing.NO_EFFECT,
    ),
]
