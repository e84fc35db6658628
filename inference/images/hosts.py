"""The operator's list of hosts that images may be fetched from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9._-]{0,252})", re.IGNORECASE)


class HostList:
    """Names (`example.com`) and patterns (`*.example.com`: every name below it).

    An empty list allows every host.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Read the patterns.

        Raises:
            ValueError: one of them is neither a name nor a pattern.
        """
        self._names = set()
        self._ends = []
        for pattern in patterns:
            if not _HOST.fullmatch(pattern):
                raise ValueError(
                    f"must be names such as example.com or *.example.com, not {pattern!r}"
                )
            name = pattern.lower().rstrip(".")
            if name.startswith("*"):
                self._ends.append(name[1:])
            else:
                self._names.add(name)

    def __contains__(self, host: str) -> bool:
        """Whether images may be fetched from `host`, in lower-case ASCII."""
        if not self._names and not self._ends:
            return True
        return host in self._names or host.endswith(tuple(self._ends))
