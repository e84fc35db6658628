"""Whose pages and apps may call the API from a browser: the operator's list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTING = "CORS_ORIGINS"
ANY = "*"
_PATTERN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\*|\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?P<port>:(?:\*|[0-9]{1,5}))?"
)
_WEB = ("http", "https")


class AllowedOrigins:
    """Origins as browsers send them: `https://chat.example`, `app://obsidian.md`.

    `http://localhost:*` is that host on every port, `chrome-extension://*` every
    extension, `*` everybody. An empty list allows nobody.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Read the list.

        Raises:
            ValueError: one of them is no origin.
        """
        self._exact: set[str] = set()
        self._beginnings: list[str] = []
        self._any = False
        for pattern in patterns:
            self._add(pattern.lower())

    def _add(self, pattern: str) -> None:
        if pattern == ANY:
            self._any = True
            return
        found = _PATTERN.fullmatch(pattern)
        if found is None or (found["host"] == ANY and found["scheme"] in _WEB):
            raise ValueError(
                "must be origins such as https://chat.example, app://obsidian.md or "
                f"http://localhost:*, or a single *, not {pattern!r}"
            )
        if found["host"] == ANY:
            self._beginnings.append(f"{found['scheme']}://")
        elif found["port"] == ":*":
            bare = pattern.removesuffix(":*")
            self._exact.add(bare)
            self._beginnings.append(f"{bare}:")
        else:
            self._exact.add(pattern)

    def __bool__(self) -> bool:
        """Whether anybody is allowed."""
        return self._any or bool(self._exact or self._beginnings)

    def __contains__(self, origin: str) -> bool:
        """Whether pages of this origin may call."""
        origin = origin.lower()
        return (
            self._any
            or origin in self._exact
            or origin.startswith(tuple(self._beginnings))
        )


NO_ORIGINS = AllowedOrigins()
