"""Fills in what a request left open: request, then model, then server."""

from __future__ import annotations

from typing import Any

from inference.core.requests import SamplingRequest, SamplingSpec

_SERVER_DEFAULTS: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
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
        seed=asked.seed,
        stop=asked.stop,
    )


def _first_given(*values: Any) -> Any:
    return next(value for value in values if value is not None)
