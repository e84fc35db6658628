"""Who is let in without being asked for a key: the questions, not their answers.

Who may read what the server remembers: `metrics` asks it for its APIs, and
`inference.auth` answers. Whose browser opened a WebSocket: `inference.consumers` asks,
and `mlxsite` answers from the sessions of its staff. `mlxsite` wires all of them.
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


class SessionCheck(Protocol):
    """Knows the staff who are logged in, by what their browsers send."""

    async def name_of(self, headers: Mapping[str, str]) -> str | None:
        """Return under which name the record keeps them; `None` for anybody else.

        Only for a page of this server: a cookie travels with what other pages open.
        `headers` are looked up by lower-case names.
        """


class NoSessions:
    """Knows nobody: what holds where nothing was wired."""

    async def name_of(self, headers: Mapping[str, str]) -> str | None:
        """Return nobody."""
        return None
