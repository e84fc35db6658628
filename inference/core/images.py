"""An image on its way to a model: its bytes, checked and not yet decoded."""

from __future__ import annotations

import msgspec


class ImageData(msgspec.Struct, frozen=True):
    """One image as it was sent or fetched.

    `sha256` is the hex digest of `data`; `width` and `height` are in pixels, as its
    header says, before its orientation is applied.
    """

    data: bytes
    sha256: str
    width: int
    height: int
    detail: str = "auto"
