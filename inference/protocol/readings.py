"""What stop strings, biases and token ids become once they are known to be well formed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.protocol import faults

if TYPE_CHECKING:
    from inference.core.limits import Limits


def to_stops(sent: str | list[str], _path: str, _limits: Limits) -> tuple[str, ...]:
    """Return the stop strings; one may stand alone."""
    return (sent,) if isinstance(sent, str) else tuple(sent)


def to_biases(
    sent: dict[str, float], path: str, limits: Limits
) -> tuple[tuple[int, float], ...]:
    """Return pairs of token ids and biases; keys of JSON are texts."""
    for key in sent:
        is_id = key.isascii() and key.isdecimal() and int(key[:12]) <= limits.token_id
        if not is_id:
            why = f"expected token ids as keys, but got '{key[:64]}' instead."
            raise faults.invalid(path, why)
    return tuple((int(key), bias) for key, bias in sent.items())


def to_token_ids(sent: list[Any], path: str, limits: Limits) -> tuple[int, ...]:
    """Return token ids, at least one; what is out of range is named by its place."""
    if not sent:
        raise faults.empty(path, what="array")
    for place, each in enumerate(sent):
        if type(each) is not int or not 0 <= each <= limits.token_id:
            why = f"expected a token id of 0 to {limits.token_id:,}."
            raise faults.invalid(f"{path}[{place}]", why)
    return tuple(sent)
