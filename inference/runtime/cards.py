"""What may be known about a model's life in memory, as fields of its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.runtime.keeper import Keeper


def life_fields(keeper: Keeper | None) -> dict[str, Any]:
    """Return the fields of a `ModelCard` that tell of the model's present life.

    None of them for a model that is not in memory.
    """
    if keeper is None:
        return {}
    loaded, progress = keeper.loaded, keeper.progress
    fields: dict[str, Any] = {
        "created": int(keeper.loaded_at or 0),
        "loaded_at": keeper.loaded_at,
        "restarts": keeper.restarts,
    }
    worker = keeper.worker
    if worker is not None and worker.hello is not None:
        fields["computes_on"] = worker.hello.computes_on
    if loaded is not None:
        fields |= {
            "context_length": loaded.context_length,
            "size_bytes": loaded.weight_bytes,
            "load_s": loaded.load_s,
            "capabilities": loaded.capabilities,
            "dialect": loaded.dialect,
            "notes": loaded.notes,
        }
    elif progress is not None:
        share = progress.done_bytes / max(1, progress.total_bytes)
        fields["progress"] = min(1.0, share)
    return fields
