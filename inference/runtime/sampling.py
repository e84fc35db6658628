"""Fills in what a request left open: request, then model, then server."""

from __future__ import annotations

from typing import Any

from inference.core.errors import InvalidRequestError
from inference.core.requests import SamplingRequest, SamplingSettings, SamplingSpec

_SERVER_DEFAULTS: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}


def to_sampling_spec(
    asked: SamplingRequest,
    *,
    model_defaults: dict[str, Any],
    default_max_tokens: int,
    room_tokens: int,
) -> SamplingSpec:
    """Return complete settings; `max_tokens` never passes `room_tokens`.

    `room_tokens` is what the context leaves after the prompt and at least 1.
    """
    chosen = {
        name: _first_given(getattr(asked, name), model_defaults.get(name), default)
        for name, default in _SERVER_DEFAULTS.items()
    }
    wanted = _first_given(
        asked.max_tokens, model_defaults.get("max_tokens"), default_max_tokens
    )
    return SamplingSpec(
        temperature=float(chosen["temperature"]),
        top_p=float(chosen["top_p"]),
        top_k=max(int(chosen["top_k"]), 0),
        min_p=float(chosen["min_p"]),
        max_tokens=min(wanted, room_tokens),
        repetition_penalty=float(chosen["repetition_penalty"]),
        **{name: getattr(asked, name) for name in SamplingSettings.__struct_fields__},
    )


def defaults_used(asked: SamplingRequest, spec: SamplingSpec) -> dict[str, Any]:
    """Return what stands in `spec` for parameters that were not sent."""
    return {
        name: getattr(spec, name)
        for name in (*_SERVER_DEFAULTS, "max_tokens")
        if getattr(asked, name) is None
    }


def refuse_unknown_tokens(asked: SamplingRequest, *, vocabulary: int) -> None:
    """Refuse token ids that the model does not have, naming the parameter.

    Raises:
        InvalidRequestError: an id is `vocabulary` or more.
    """
    for param, ids in (
        ("logit_bias", [token for token, _ in asked.logit_bias]),
        ("stop_token_ids", asked.stop_token_ids),
    ):
        unknown = next((token for token in ids if token >= vocabulary), None)
        if unknown is not None:
            raise InvalidRequestError(
                f"Token {unknown} does not exist: this model has {vocabulary} tokens.",
                param=param,
            )


def _first_given(*values: Any) -> Any:
    return next(value for value in values if value is not None)
