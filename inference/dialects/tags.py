"""Opening tags, and the names in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.dialects.source import NotWrittenError

if TYPE_CHECKING:
    import re


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening tag: `start`, a name, `head_end`. Attributes may surround the name.

    `name` finds the name in what stands between the two; without it all of it is.
    `writes` is what stands there, with `{name}`, and where the dialect says them
    `{index}`, `{type}` and `{is_string}`.
    """

    start: str
    head_end: str
    close: str
    name: re.Pattern[str] | None = None
    writes: str = "{name}"

    def name_in(self, head: str) -> str:
        """Return the name in a tag's head.

        Raises:
            NotWrittenError: there is none.
        """
        found = self.name.search(head) if self.name else None
        name = (found[1] if found else "") if self.name else head
        name = name.strip().strip("\"'")
        if not name:
            raise NotWrittenError("a tag has no name")
        return name
