"""A GGUF file's metadata, asked by key: each answer has the type and size it should.

What is missing, of another type or out of bounds is refused by its key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.engine.gguf.header import GGUFError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Metadata:
    """The entries of one file; a default makes a key optional."""

    entries: Mapping[str, Any] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def keys_under(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`."""
        return [key for key in self.entries if key.startswith(prefix)]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise GGUFError(f"{key} is no text")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a yes or no."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise GGUFError(f"{key} is neither true nor false")
        return value

    def whole(
        self,
        key: str,
        default: int | None = None,
        *,
        least: int = 1,
        most: int = LARGEST,
    ) -> int:
        """Return a whole number from `least` to `most`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise GGUFError(f"{key} is no whole number")
        if not least <= value <= most:
            raise GGUFError(f"{key} is {value}, which makes no sense")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number above zero."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise GGUFError(f"{key} is no number")
        if not (math.isfinite(value) and value > 0):
            raise GGUFError(f"{key} is {value}, which makes no sense")
        return float(value)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        return self._list(key, str)

    def wholes(self, key: str) -> list[int]:
        """Return a list of whole numbers."""
        return self._list(key, int)

    def numbers(self, key: str) -> list[float]:
        """Return a list of finite numbers."""
        found: list[float] = self._list(key, int | float)
        if not all(map(math.isfinite, found)):
            raise GGUFError(f"{key} has an item that is no finite number")
        return found

    def _list(self, key: str, kind: Any) -> list[Any]:
        value = self._get(key, None)
        if not isinstance(value, list):
            raise GGUFError(f"{key} is no list")
        if not all(isinstance(item, kind) for item in value):
            raise GGUFError(f"{key} has an item of another type")
        return value

    def _get(self, key: str, default: Any) -> Any:
        value = self.entries.get(key, default)
        if value is None:
            raise GGUFError(f"the file says nothing of {key}")
        return value
