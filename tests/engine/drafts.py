"""Models for drafting, on a machine whose time is told by what they compute."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from inference.engine.speculation.drafting import Speculator
from tests.engine.driving import Run, sequence

if TYPE_CHECKING:
    import mlx.core as mx

    from inference.core.requests import SamplingSpec
    from inference.engine.loading.text_model import TextModel
    from inference.engine.prefill.groups import PrefillPace
    from inference.engine.row_caches.maker import CacheMaker
    from inference.engine.speculation.draft_model import DraftModel


# Noise in standard deviations: the draft is right always, often, seldom.
AGREEMENTS = {"always": 0.0, "often": 0.5, "seldom": 2.0}


@dataclass
class Machine:
    """A clock that only computing moves; it counts who computed how often.

    A pass of the model takes a second, one of the draft `draft_s`, and each
    further position a tenth of that. `model` and `draft` list the positions.
    """

    draft_s: float = 0.1
    now: float = 0.0
    model: list[int] = field(default_factory=list)
    draft: list[int] = field(default_factory=list)

    def clock(self) -> float:
        """Return the seconds computed so far."""
        return self.now

    def run(
        self,
        caches: CacheMaker,
        draft: DraftModel,
        pace: PrefillPace | None = None,
    ) -> Run:
        """Return a batch of `caches`' model with a draft, both on this machine."""
        model, paced = self.paced(caches.model), self.paced_draft(draft)
        speculation = None if paced.model is None else Speculator(model, paced)
        return Run(replace(caches, model=model), pace, speculation=speculation)

    def paced(self, model: Any) -> Any:
        """Return the model, computing on this machine."""
        return _Paced(model, self, is_draft=False)

    def paced_draft(self, draft: DraftModel) -> DraftModel:
        """Return the draft, computing on this machine."""
        if draft.model is None:
            return draft
        return replace(
            draft, model=_Paced(draft.model, self, is_draft=True), clock=self.clock
        )

    def compute(self, positions: int, *, is_draft: bool) -> None:
        """Let a pass over so many positions of a row take its time."""
        (self.draft if is_draft else self.model).append(positions)
        self.now += (self.draft_s if is_draft else 1.0) * (0.9 + 0.1 * positions)


@dataclass
class _Paced:
    """A model on a machine."""

    _model: Any
    _machine: Machine
    is_draft: bool

    def __call__(self, tokens: mx.array, cache: Any = None) -> Any:
        self._machine.compute(tokens.shape[1], is_draft=self.is_draft)
        return self._model(tokens, cache=cache)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def with_draft(
    text: TextModel, draft: DraftModel, spec: SamplingSpec, *numbers: int
) -> tuple[dict[int, list[int]], Machine]:
    """Let sequences answer one after the other, the draft taking hardly any time."""
    machine = Machine(draft_s=0.01)
    run = machine.run(text.caches, draft)
    for number in numbers:
        run.add(sequence(text, number, spec))
        run.finish()
    return run.tokens, machine
