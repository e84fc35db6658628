"""How far a JPEG is scaled down while it is decoded: judged before, done in the worker.

Both sides ask here, so that what was counted is what is decoded.
"""

from __future__ import annotations

from inference.core.images import USUAL_SIDE_MOST

# A JPEG decodes at these parts of its size, in a fraction of memory and time.
_PARTS = (8, 4, 2)
# The rest is scaled with more care: never less is decoded than so much of a side.
_SPARE = 1.25


def draft_part(size: tuple[int, int], side: int) -> int:
    """Return by what a JPEG is divided whose sides shall be up to `side`."""
    most = max(size) / (side * _SPARE)
    return next((part for part in _PARTS if part <= most), 1)


def draft_pixels(size: tuple[int, int]) -> int:
    """Return the most pixels that are decoded of a JPEG."""
    part = draft_part(size, USUAL_SIDE_MOST)
    return -(-size[0] // part) * -(-size[1] // part)
