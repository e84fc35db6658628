"""Pictures for a question: files become data URLs, addresses stay what they are."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from inference.core.errors import InvalidImageError
from inference.core.limits import DEFAULT_LIMITS
from inference.images.headers import format_of


class PictureError(ValueError):
    """This cannot be sent as a picture; the message is one line."""


def picture_part(source: str) -> dict[str, Any]:
    """Return the part of a message that shows a picture: a file's, or an address.

    Raises:
        PictureError: the file cannot be read, is too large, or is no picture.
    """
    is_address = source.startswith(("http://", "https://", "data:"))
    url = source if is_address else _data_url(Path(source).expanduser())
    return {"type": "image_url", "image_url": {"url": url}}


def _data_url(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > DEFAULT_LIMITS.image_bytes:
            most = DEFAULT_LIMITS.image_bytes // 1_000_000
            raise PictureError(f"{path} is too large for a picture: {most} MB at most")
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}") from None
    try:
        kind = format_of(data).lower()
    except InvalidImageError as error:
        raise PictureError(f"{path}: {error.message}") from None
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
