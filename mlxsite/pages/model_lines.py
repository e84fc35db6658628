"""A model as a line of a page: its name, its state, and what else is known in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.core.outcomes import ModelState
from metrics.figures import count_text, size_text

if TYPE_CHECKING:
    from inference.core.catalog import ModelCard

COMING = (ModelState.LOADING, ModelState.DOWNLOADING, ModelState.RESTARTING)


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model; `percent` is how far its load is, where one is under way."""

    key: str
    state: str
    percent: int | None
    facts: tuple[str, ...]
    error: str

    @classmethod
    def of(cls, card: ModelCard) -> ModelLine:
        """Return the line of a card; nothing that `/v1/models` does not tell."""
        is_coming = card.state in COMING and card.progress is not None
        return cls(
            key=card.key,
            state=card.state,
            percent=round(100 * (card.progress or 0)) if is_coming else None,
            facts=_facts(card),
            error=card.error if card.state is not ModelState.READY else "",
        )


def _facts(card: ModelCard) -> tuple[str, ...]:
    facts = []
    if card.state is ModelState.UNLOADED:
        facts.append("loads on the first request")
    if card.capabilities:
        facts.append(", ".join(card.capabilities))
    if card.memory_bytes:
        facts.append(f"{size_text(card.memory_bytes)} in memory")
    elif card.size_bytes:
        facts.append(size_text(card.size_bytes))
    if card.context_length:
        facts.append(f"{count_text(card.context_length)} tokens of context")
    return tuple(facts)
