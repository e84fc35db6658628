"""Which models this server has, and how a name finds one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inference.core.errors import ModelNotFoundError
from inference.core.near_names import near_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.core.catalog import ModelCard
    from inference.runtime.served import ServedModel

SHOWN_NAMES = 20
# Said of every folder: whether there is one is nobody's business.
FOLDER_ELSEWHERE = (
    " A folder is served by its path where it lies in one of the places that models "
    "are taken from: see MODEL_DIRS."
)
CLAUDE = "claude-"
# What ANTHROPIC_MODEL says for the model of requests that name none.
DEFAULT_MODEL = "default"


def is_claude(name: str | None) -> bool:
    """Whether a name is one that Anthropic gives to its models."""
    return name is not None and name.startswith(CLAUDE)


class ModelRegistry:
    """Owns the models, loaded or not; the first one added is the default."""

    def __init__(self, *, any_model_name: bool = False) -> None:
        self._models: dict[str, ServedModel] = {}
        self._any_model_name = any_model_name

    def all(self) -> list[ServedModel]:
        """Return the models in the order they were added."""
        return list(self._models.values())

    def add(self, model: ServedModel) -> None:
        """Have `model` found under its key."""
        self._models[model.key] = model

    def get(self, key: str) -> ServedModel | None:
        """Return the model with exactly this key."""
        return self._models.get(key)

    def find(self, name: str | None) -> ServedModel | None:
        """Return the model for `name`: its key, a unique last path component, an alias.

        `None` finds the default. Case matters, as in every model name.
        """
        if name is None:
            return self.default
        found = self._models.get(name) or self._by_last_part(name)
        return found or self._by_alias(name)

    @property
    def default(self) -> ServedModel | None:
        """The model of requests that name none."""
        return next(iter(self._models.values()), None)

    def substitute(self) -> ServedModel | None:
        """Return the model that answers for names nobody knows, if one does."""
        return self.default if self._any_model_name else None

    def not_found(
        self, name: str | None, *, near: Sequence[str] = ()
    ) -> ModelNotFoundError:
        """Return the error for a name that leads nowhere; `near` may be meant."""
        keys = [f"`{key}`" for key in self._models]
        more = f" and {len(keys) - SHOWN_NAMES} more" if len(keys) > SHOWN_NAMES else ""
        served = ", ".join(keys[:SHOWN_NAMES]) + more or "none"
        meant = (
            f" Did you mean {' or '.join(f'`{key}`' for key in near)}?" if near else ""
        )
        hint = (
            f" Set ANTHROPIC_MODEL to the model that answers for `{CLAUDE}*` names."
            if is_claude(name)
            else ""
        )
        folder = FOLDER_ELSEWHERE if (name or "").startswith(("/", "~")) else ""
        return ModelNotFoundError(
            f"The model `{name or ''}` is not served here.{folder}{meant} "
            f"Served: {served}.{hint}",
            param="model",
        )

    async def not_found_among(
        self, name: str | None, cards: Iterable[ModelCard]
    ) -> ModelNotFoundError:
        """Return the error for a name that none of `cards` has, with what is near."""
        if name is None:
            return self.not_found(name)
        known = [key for card in cards for key in (card.key, *card.aliases)]
        # Comparing many long names takes longer than the loop may stand still.
        near = await asyncio.to_thread(near_names, name, known)
        return self.not_found(name, near=near)

    def _by_last_part(self, name: str) -> ServedModel | None:
        matches = [m for k, m in self._models.items() if k.rsplit("/", 1)[-1] == name]
        return matches[0] if len(matches) == 1 else None

    def _by_alias(self, name: str) -> ServedModel | None:
        matches = [m for m in self._models.values() if name in m.source.options.aliases]
        return matches[0] if len(matches) == 1 else None
