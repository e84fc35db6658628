"""What is known of the architectures of mlx-vlm, and tested here.

An architecture that is not listed is served as the library itself would: the
images of a prompt are encoded together and not kept, and where its language model
remembers one prompt's positions, one request at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inference.engine.caches.probe import flat

if TYPE_CHECKING:
    from inference.engine.row_caches.maker import CacheMaker

# Their positions have axes, and their language models take positions as given.
_GRID_POSITIONS = frozenset(
    ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe")
)
# What an image's tokens hold depends on that image alone, so each is encoded once
# and kept (tests/engine/test_vision_families.py).
_APART = _GRID_POSITIONS | {
    "gemma3",
    "idefics3",
    "llava",
    "mistral3",
    "pixtral",
    "smolvlm",
}
# Texts attend to images through layers of their own, whose caches do not batch.
_ONE_ROW = frozenset(("mllama",))
# Their prompts are read both ways, or by an encoder: none is a model to talk with.
_REFUSED = frozenset(
    (
        "falcon_ocr",
        "falcon_perception",
        "florence2",
        "moondream2",
        "moondream3",
        "nemotron_parse",
        "paligemma",
    )
)
POSITION_AXES = 3


@dataclass(frozen=True, slots=True)
class Family:
    """How an architecture's images are handled.

    `keeps_features`: each image is encoded by itself, and kept. `position_axes` is
    0 where positions are plain. `is_batchable`: rows may run together; `remembers`:
    that is because its language model keeps one prompt's positions. `images_most` is
    how many images a prompt may have; 0: any number.
    """

    name: str
    keeps_features: bool = False
    position_axes: int = 0
    is_batchable: bool = True
    remembers: bool = False
    images_most: int = 0

    def caches(self, maker: CacheMaker) -> CacheMaker:
        """Return a maker of caches that does not promise what the models cannot do."""
        recurrent = any(
            type(cache).__name__ == "ArraysCache" for cache in flat(maker.make())
        )
        return replace(
            maker,
            is_batchable=maker.is_batchable and self.is_batchable,
            can_pad=maker.can_pad and not recurrent,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What staff should know of it."""
        found = []
        if not self.keeps_features:
            found.append(
                f"images: those of {self.name} models are encoded anew at every turn."
            )
        if not self.is_batchable:
            found.append(f"images: {self.name} models answer one request at a time.")
        return tuple(found)


class FamilyError(ValueError):
    """Models of this architecture are not served."""


def family_of(name: str, model: Any, *, images_most: int = 0) -> Family:
    """Return what holds for a loaded model of architecture `name`.

    Raises:
        FamilyError: it does not write its answer token by token behind a prompt.
    """
    if name in _REFUSED or not hasattr(model, "language_model"):
        raise FamilyError(f"{name} models are not made for conversations; not served.")
    remembers = hasattr(model.language_model, "_rope_deltas")
    is_known = name in _APART and image_token_of(model) is not None
    return Family(
        name=name,
        keeps_features=is_known,
        position_axes=POSITION_AXES if is_known and remembers else 0,
        is_batchable=name not in _ONE_ROW and (is_known or not remembers),
        remembers=remembers and not is_known,
        images_most=images_most,
    )


def image_token_of(model: Any) -> int | None:
    """Return the token that stands for a piece of an image; `None`: not known."""
    for name in ("image_token_id", "image_token_index"):
        token = getattr(model.config, name, None)
        if isinstance(token, int) and token >= 0:
            return token
    return None
