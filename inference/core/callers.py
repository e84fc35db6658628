"""Who may read what the server remembers: the question, not its answer.

`metrics` asks it for its APIs; `inference.auth` answers, and `mlxsite` wires both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inference.core.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping


class CallerCheck(Protocol):
    """Lets a caller in, or refuses."""

    def admit(self, headers: Mapping[str, str], *, client_host: str) -> str:
        """Return the name of the key that lets the caller in; "" where none is needed.

        `headers` are looked up by lower-case names.

        Raises:
            AuthenticationError: a key is needed and there is none, or a wrong one.
            ForbiddenError: a key would not help.
        """


class NobodyEnters:
    """Refuses everybody: what holds where nothing was wired."""

    def admit(self, headers: Mapping[str, str], *, client_host: str) -> str:
        """Refuse."""
        raise ForbiddenError("Nobody may read this here.")
