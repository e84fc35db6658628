"""What a tool is connected to: a model of a server, and what is known of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.client.faults import ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.client.address import ServerAddress

# Tools that insist on a key get this one from a server that wants none.
ANY_KEY = "mlx-server"
# How much of its context a model may write in one answer, as tools reserve it.
ANSWER_SHARE = 4
LONGEST_ANSWER = 32_768


@dataclass(frozen=True, slots=True)
class ConnectTarget:
    """One model as tools are told of it; `context_tokens` is none where nobody says.

    An empty `api_key` means that the server wants none.
    """

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    context_tokens: int | None = None
    capabilities: frozenset[str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def root_url(self) -> str:
        """Return the address for tools that add `/v1` themselves."""
        return self.base_url.removesuffix("/v1")

    @property
    def key(self) -> str:
        """Return what to send as the key, also where none is wanted."""
        return self.api_key or ANY_KEY

    @property
    def answer_tokens(self) -> int | None:
        """Return how long one answer may be."""
        if self.context_tokens is None:
            return None
        return min(self.context_tokens // ANSWER_SHARE, LONGEST_ANSWER)

    @property
    def sees(self) -> bool:
        """Whether the model takes pictures."""
        return "vision" in (self.capabilities or ())


def target_of(
    address: ServerAddress, models: Sequence[dict[str, Any]], wanted: str
) -> ConnectTarget:
    """Return the model that is wanted; without a wish one that is in memory.

    Raises:
        ServerError: the server has no such model, or none at all.
    """
    model = _chosen(models, wanted)
    context = model.get("context_length")
    told = model.get("capabilities")
    return ConnectTarget(
        base_url=address.base_url,
        model=wanted or model["id"],
        api_key=address.api_key,
        context_tokens=context if isinstance(context, int) and context > 0 else None,
        capabilities=frozenset(map(str, told)) if isinstance(told, list) else None,
        notes=tuple(str(note) for note in model.get("notes") or ()),
    )


def _chosen(models: Sequence[dict[str, Any]], wanted: str) -> dict[str, Any]:
    if not models:
        raise ServerError("the server has no models")
    if not wanted:
        ready = [model for model in models if model.get("state") == "ready"]
        return (ready or models)[0]
    for model in models:
        if wanted == model["id"] or wanted in (model.get("aliases") or ()):
            return model
    raise ServerError(
        f"the server has no model {wanted!r}: `mlx-server list` shows them"
    )
