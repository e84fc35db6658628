"""What somebody may have meant who wrote a name that nobody has."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SUGGESTED = 3
# Comparing takes the product of two lengths, for each name.
COMPARED_NAMES = 500
COMPARED_CHARS = 100
LIKENESS = 0.75
_PACKING = re.compile(
    r"[-_.:](?:[0-9.]+bit|(?:i?q|int|fp|bf|mxfp|nvfp)[0-9]\w*|mlx|gguf|dwq|awq|gptq"
    r"|latest)$"
)


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Return names that differ in case, publisher, suffix, quantization or a slip.

    The most alike first. May take milliseconds for hundreds of names.
    """
    wanted = _bare(name[:COMPARED_CHARS])
    by_bare: dict[str, list[str]] = {}
    for each, _ in zip(known, range(COMPARED_NAMES), strict=False):
        by_bare.setdefault(_bare(each[:COMPARED_CHARS]), []).append(each)
    close = get_close_matches(wanted, by_bare, n=SUGGESTED, cutoff=LIKENESS)
    same = [wanted] if wanted in by_bare else []
    longer = (bare for bare in by_bare if wanted and bare.startswith(f"{wanted}-"))
    alike = dict.fromkeys((*same, *longer, *close))
    return [each for bare in alike for each in by_bare[bare]][:SUGGESTED]


def _bare(name: str) -> str:
    """Return what is left of a name without publisher and packing."""
    bare = name.lower().rstrip("/").rpartition("/")[2]
    while (shorter := _PACKING.sub("", bare)) != bare:
        bare = shorter
    return re.sub(r"[-_.: ]+", "-", bare)
