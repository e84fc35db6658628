"""Settings from the environment: each value checked, each mistake one clear line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar, cast

import environ
from django.core.exceptions import ImproperlyConfigured

from mlxsite.options import SECONDS, SIZES, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")

DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")
FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}


class Environment:
    """Reads variables, and `.env` for those that are not set.

    An empty variable counts as one that is not set.
    """

    def __init__(self, env_file: Path | None = None) -> None:
        self._env = environ.Env()
        if env_file is not None and env_file.exists():
            self._env.read_env(env_file)

    def text(self, name: str, default: str = "") -> str:
        """Return a line of text without the space around it."""
        return cast("str", self._env.str(name, default=default)).strip() or default

    def secret(self, name: str) -> str:
        """Return the value as it is: no `$NAME` in it is replaced."""
        return cast("str", self._env.ENVIRON.get(name, ""))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a yes or no."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in FLAGS:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return FLAGS[value]

    def listed(self, name: str) -> list[str]:
        """Return the parts of a comma-separated list."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """Return one of `choices`."""
        value = self.text(name)
        if value not in choices:
            allowed = ", ".join(choice or '""' for choice in choices)
            raise ImproperlyConfigured(
                f"{name} must be one of {allowed}, not {value!r}."
            )
        return value

    def whole(self, name: str) -> int:
        """Return a whole number within the bounds of `options.WHOLE`."""
        option = WHOLE[name]
        return self._parsed(name, option.parse, option.default)

    def seconds(self, name: str) -> float:
        """Return a duration within the bounds of `options.SECONDS`."""
        option = SECONDS[name]
        return self._parsed(name, option.parse, option.default)

    def size(self, name: str) -> int:
        """Return an amount of memory in bytes within the bounds of `options.SIZES`."""
        option = SIZES[name]
        return self._parsed(name, option.parse, option.default)

    def database(self, name: str) -> dict[str, Any] | None:
        """Return the parts of a database URL; `None` where there is none."""
        url = self.secret(name)
        if not url:
            return None
        scheme, found, _ = url.partition("://")
        parts: dict[str, Any] = {}
        if found and scheme in DATABASE_SCHEMES:
            with contextlib.suppress(ValueError):
                parts = self._env.db_url_config(url)
        # The URL may hold a password: the message does not repeat it.
        if not parts.get("NAME"):
            raise ImproperlyConfigured(
                f"{name} is not a database URL such as "
                "postgres://user:password@host:5432/name or sqlite:////folder/file."
            )
        return parts

    def _parsed(self, name: str, parse: Callable[[str], T], default: T) -> T:
        value = self.text(name)
        if not value:
            return default
        try:
            return parse(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} {error}.") from None
