"""The bodies of `/v1/models/load` and `/v1/models/unload`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.core.errors import InvalidRequestError, UnsupportedParameterError
from inference.core.models import KINDS, LoadRequest
from inference.protocol import faults

if TYPE_CHECKING:
    from inference.core.limits import Limits

_KEY = re.compile(r"[\w-][\w.:@-]*(/[\w-][\w.:@-]*)*")
_LOAD_FIELDS = ("model", "key", "model_type", "pin", "ttl_s", "stream")
_UNLOAD_FIELDS = ("key", "model", "force")


def to_load_request(body: dict[str, Any], *, limits: Limits) -> LoadRequest:
    """Read the body of a load.

    Raises:
        InvalidRequestError: a field is missing, unknown, or out of its bounds.
    """
    _refuse_unknown(body, _LOAD_FIELDS)
    model = _text(body, "model", limits.model_path_chars)
    if not model:
        raise faults.missing("model")
    key = _text(body, "key", limits.model_key_chars)
    if key and not _KEY.fullmatch(key):
        raise InvalidRequestError(
            f"Invalid 'key': {key!r} is no model name; letters, digits and ._-:@/ make "
            "one.",
            param="key",
        )
    kind = _text(body, "model_type", limits.model_key_chars)
    if kind not in ("", *KINDS):
        raise InvalidRequestError(
            "Invalid 'model_type': it is 'lm', 'vlm' or 'encoder'.", param="model_type"
        )
    return LoadRequest(
        model=model,
        key=key,
        kind=kind,
        pin=_flag(body, "pin"),
        ttl_s=_seconds(body, "ttl_s", limits.ttl_s),
        stream=_flag(body, "stream") or False,
    )


def to_unload_request(body: dict[str, Any], *, limits: Limits) -> tuple[str, bool]:
    """Return the key to unload, and whether by force.

    Raises:
        InvalidRequestError: a field is missing, unknown, or out of its bounds.
    """
    _refuse_unknown(body, _UNLOAD_FIELDS)
    key = _text(body, "key", limits.model_key_chars)
    key = key or _text(body, "model", limits.model_key_chars)
    if not key:
        raise faults.missing("key")
    return key, _flag(body, "force") or False


def _refuse_unknown(body: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in body:
        if name not in known:
            shown = name[:64]
            raise UnsupportedParameterError(
                f"Unrecognized parameter: '{shown}'. Known are: {', '.join(known)}.",
                param=shown,
            )


def _text(body: dict[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise faults.wrong_type(name, "a string", value)
    if len(value) > most or not value.isprintable():
        raise InvalidRequestError(
            f"Invalid '{name}': at most {most} printable characters.", param=name
        )
    return value.strip()


def _flag(body: dict[str, Any], name: str) -> bool | None:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise faults.wrong_type(name, "a boolean", value)
    return value


def _seconds(body: dict[str, Any], name: str, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise faults.wrong_type(name, "a number", value)
    if not 0 <= value <= most:
        raise InvalidRequestError(
            f"Invalid '{name}': {value} is not between 0 and {most:g}.", param=name
        )
    return float(value)
