"""An image on its way to a model: its bytes, checked and not yet decoded."""

from __future__ import annotations

import msgspec

# Larger images are scaled down before the model's own processor sees them.
USUAL_SIDE_MOST = 2048


class ImageData(msgspec.Struct, frozen=True):
    """One image as it was sent or fetched.

    `sha256` is the hex digest of `data`; `width` and `height` are in pixels, as its
    header says, before its orientation is applied. `decoded_pixels` are those that
    are decoded, which for a large JPEG are fewer; `decoding_bytes` is the most
    memory that this takes.
    """

    data: bytes
    sha256: str
    width: int
    height: int
    detail: str = "auto"
    decoded_pixels: int = 0
    decoding_bytes: int = 0
