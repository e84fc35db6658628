"""What makes a model a vision model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.engine.vision.encoding import ImageEncoder
    from inference.engine.vision.families import Family
    from inference.engine.vision.prompts import ImagePrompts


@dataclass(frozen=True, slots=True)
class VisionSupport:
    """The vision part of a loaded model.

    `prompts` prepares off the MLX thread; `encoder` lives on it.
    """

    family: Family
    prompts: ImagePrompts
    encoder: ImageEncoder

    @property
    def notes(self) -> tuple[str, ...]:
        """What staff should know."""
        return self.family.notes
