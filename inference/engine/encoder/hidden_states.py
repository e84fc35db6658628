"""Vectors of a model that writes text: the mean of its last hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache

from inference.engine.encoder.queue import unit_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.engine.encoder.batches import EncodeBatch, Matrix

# Where the libraries keep what comes before a model's head.
_PLACES = (("model",), ("language_model", "model"), ("backbone",), ("transformer",))


class HiddenStates:
    """Implements `Forward` for a text model, in chunks of a long input.

    What follows an input in its row is never read: the model looks back only.
    """

    has_unit_length = True

    def __init__(self, model: Any, backbone: Callable[..., mx.array]) -> None:
        self._model = model
        self._backbone = backbone
        self.width = int(
            backbone(mx.array([[0]]), cache=make_prompt_cache(model)).shape[-1]
        )

    @classmethod
    def of(cls, model: Any) -> HiddenStates | None:
        """Return those of a model; `None` where its code has no place for them."""
        for path in _PLACES:
            found = model
            for name in path:
                found = getattr(found, name, None)
            if callable(found):
                return cls(model, found)
        return None

    def chunks(self, batch: EncodeBatch, tokens: int) -> Iterator[Matrix | None]:
        """Add up the hidden states, some tokens of each row at a time."""
        ids, is_token = mx.array(batch.tokens(padding=0)), batch.is_token()
        weights = mx.array(is_token.astype(np.float32))[:, :, None]
        cache = make_prompt_cache(self._model)
        step = max(1, tokens // len(batch.rows))
        sums: Any = 0.0
        for start in range(0, batch.width, step):
            part = slice(start, start + step)
            hidden = self._backbone(ids[:, part], cache=cache)
            sums = sums + (hidden.astype(mx.float32) * weights[:, part]).sum(axis=1)
            mx.eval(sums, [layer.state for layer in cache])
            if start + step < batch.width:
                yield None
        lengths = mx.array(batch.lengths)[:, None]
        yield unit_length(np.array(sums / lengths))
