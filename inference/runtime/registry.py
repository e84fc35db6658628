"""Which models are served, and how a name finds one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.errors import ModelNotFoundError

if TYPE_CHECKING:
    from inference.runtime.served import ServedModel


class ModelRegistry:
    """Owns the served models; the first one added is the default."""

    def __init__(self, *, any_model_name: bool = False) -> None:
        self._models: dict[str, ServedModel] = {}
        self._any_model_name = any_model_name

    def all(self) -> list[ServedModel]:
        """Return the served models in the order they were added."""
        return list(self._models.values())

    def add(self, model: ServedModel) -> None:
        """Serve `model` under its key."""
        self._models[model.key] = model

    def find(self, name: str | None) -> ServedModel:
        """Return the model for `name`: its key, or a unique last path component.

        `None` finds the default. Case matters, as in every model name.

        Raises:
            ModelNotFoundError: nothing is served under that name.
        """
        default = next(iter(self._models.values()), None)
        if name is None and default is not None:
            return default
        found = self._models.get(name or "") or self._by_last_part(name or "")
        if found is None and self._any_model_name:
            found = default
        if found is None:
            served = ", ".join(f"`{key}`" for key in self._models) or "none"
            raise ModelNotFoundError(
                f"The model `{name}` is not served here. Served: {served}.",
                param="model",
            )
        return found

    def _by_last_part(self, name: str) -> ServedModel | None:
        matches = [m for k, m in self._models.items() if k.rsplit("/", 1)[-1] == name]
        return matches[0] if len(matches) == 1 else None
