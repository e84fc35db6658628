"""A chat request's body becomes one frozen `GenerationRequest`, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rest_framework.exceptions import ValidationError

from inference.core.requests import GenerationRequest, SamplingRequest
from inference.protocol.fields import to_error
from inference.protocol.messages import to_messages, unknown_keys
from inference.protocol.parameters import ChatParameters, chat_parameters

if TYPE_CHECKING:
    from inference.core.limits import Limits

_IGNORED_NAMES = 20
_IGNORED_NAME_CHARS = 64
_RECORDED_BYTES = 1024


def to_generation(body: dict[str, Any], *, limits: Limits) -> GenerationRequest:
    """Validate `body`; names nobody knows end up in `params["ignored"]`.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured.
    """
    table = chat_parameters(limits)
    try:
        values = table.run_validation(body)
    except ValidationError as error:
        raise to_error(error) from None
    return GenerationRequest(
        messages=to_messages(body.get("messages"), limits=limits),
        model=values.get("model"),
        sampling=_to_sampling(values),
        stream=values.get("stream", False),
        include_usage=values.get("stream_options", {}).get("include_usage", False),
        params=_to_params(body, table),
    )


def ignored_names(request: GenerationRequest) -> list[str]:
    """The names of parameters that were sent and that nobody knows."""
    names: list[str] = request.params.get("ignored", [])
    return names


def _to_sampling(values: dict[str, Any]) -> SamplingRequest:
    top_k = values.get("top_k")
    return SamplingRequest(
        temperature=values.get("temperature"),
        top_p=values.get("top_p"),
        top_k=None if top_k is None else max(top_k, 0),
        min_p=values.get("min_p"),
        max_tokens=values.get("max_completion_tokens", values.get("max_tokens")),
        seed=values.get("seed"),
        stop=values.get("stop", ()),
        presence_penalty=values.get("presence_penalty", 0.0),
        frequency_penalty=values.get("frequency_penalty", 0.0),
        repetition_penalty=values.get("repetition_penalty"),
        logit_bias=values.get("logit_bias", ()),
        min_tokens=values.get("min_tokens", 0),
        ignore_eos=values.get("ignore_eos", False),
        stop_token_ids=values.get("stop_token_ids", ()),
    )


def _to_params(body: dict[str, Any], table: ChatParameters) -> dict[str, Any]:
    """Keep the parameters as sent, for the record; never messages, never long."""
    params: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in body.items():
        if name in ("messages", "model") or value is None:
            continue
        if table.is_known(name):
            params[name] = _to_recorded(value)
        else:
            ignored.append(name)
    ignored += unknown_keys(body["messages"])
    if ignored:
        shortened = (name[:_IGNORED_NAME_CHARS] for name in ignored[:_IGNORED_NAMES])
        params["ignored"] = list(shortened)
    return params


def _to_recorded(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    size_bytes = len(msgspec.json.encode(value))
    return value if size_bytes <= _RECORDED_BYTES else f"({size_bytes} bytes)"
