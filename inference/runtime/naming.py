"""Which model a request's name means, loaded or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.runtime.registry import DEFAULT_MODEL, is_claude

if TYPE_CHECKING:
    from inference.core.catalog import ModelCard, ModelCatalog
    from inference.runtime.config import RuntimeConfig
    from inference.runtime.pool import ModelPool
    from inference.runtime.registry import ModelRegistry
    from inference.runtime.served import ServedModel


class ModelNames:
    """Knows the models of the registry, and those that the catalog adds to it."""

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        pool: ModelPool,
        catalog: ModelCatalog,
        config: RuntimeConfig,
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._catalog = catalog
        self._config = config

    async def find(self, name: str | None) -> ServedModel:
        """Return the model that `name` means.

        Raises:
            ModelNotFoundError: nothing is known under that name.
        """
        model = await self._known(name)
        stand_in = self._config.claude_model
        if model is None and is_claude(name) and stand_in:
            name = None if stand_in == DEFAULT_MODEL else stand_in
            model = await self._known(name)
        model = model or self._registry.substitute()
        if model is None:
            cards = await self.with_known(
                tuple(model.card() for model in self._registry.all())
            )
            raise await self._registry.not_found_among(name, cards)
        return model

    async def with_known(self, cards: tuple[ModelCard, ...]) -> tuple[ModelCard, ...]:
        """Return cards with those of all other models that a request may name."""
        if not self._config.allow_on_demand:
            return cards
        keys = {card.key for card in cards}
        others = await self._catalog.cards()
        usable = (card for card in others if card.key not in keys and not card.error)
        return (*cards, *usable)

    async def _known(self, name: str | None) -> ServedModel | None:
        model = self._registry.find(name)
        if model is None and name and self._config.allow_on_demand:
            source = await self._catalog.find(name)
            if source is not None:
                model = self._registry.get(source.key) or self._pool.add(source)
        return model
