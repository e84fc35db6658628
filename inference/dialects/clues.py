"""What a dialect is recognised by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Clues:
    """A model's chat template, all of them where it has several, and its vocabulary.

    `has_token` says whether a text is one token of the model's.
    """

    template: str
    has_token: Callable[[str], bool] = lambda text: False

    def writes(self, *texts: str) -> bool:
        """Whether all these texts stand in the template."""
        return all(text in self.template for text in texts)

    def knows(self, *texts: str) -> bool:
        """Whether each of these texts is a token, or stands in the template."""
        return all(text in self.template or self.has_token(text) for text in texts)
