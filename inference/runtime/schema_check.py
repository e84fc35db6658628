"""Whether an answer fits the schemas that a grammar could not hold it to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inference.core.collected import CollectedAnswer
from inference.structure.jobs import FitJob

if TYPE_CHECKING:
    from inference.core.requests import Delta, Grammar, ToolUse
    from inference.core.trace import RequestTrace
    from inference.runtime.checkers import Checkers
    from inference.structure.jobs import Verdict


class SchemaCheck:
    """Collects one answer, and has it checked once it is whole.

    `text` is the schema of an answer that is no call, empty where there is none;
    `calls` are those of functions, by the names that clients know.
    """

    def __init__(self, checkers: Checkers, text: str, calls: dict[str, str]) -> None:
        self._checkers = checkers
        self._text = text
        self._calls = calls
        self._answer = CollectedAnswer()

    @classmethod
    def of(
        cls,
        checkers: Checkers,
        verdict: Verdict,
        grammar: Grammar | None,
        tools: ToolUse | None,
    ) -> SchemaCheck | None:
        """Return the check that a verdict leaves to be done, if any."""
        text = grammar.source if grammar is not None and verdict.grammar else ""
        calls = {
            tool.sent_name or tool.name: json.dumps(tool.parameters)
            for at, tool in enumerate(tools.tools if tools is not None else ())
            if at in verdict.held
        }
        return cls(checkers, text, calls) if text or calls else None

    def add(self, delta: Delta) -> None:
        """Add what one delta brings."""
        self._answer.add(delta)

    async def tell(self, trace: RequestTrace) -> None:
        """Tell whether the answer fits, where it holds anything to be checked."""
        schemas = (self._text, *self._calls.values())
        places = {name: at for at, name in enumerate(self._calls, start=1)}
        answers = []
        for _, choice in self._answer.choices:
            calls = choice.calls
            if self._text and not calls:
                answers.append((0, choice.text))
            answers += [
                (places[call.name], call.arguments)
                for call in calls
                if call.name in places
            ]
        if answers:
            fit = await self._checkers.fit(FitJob(schemas, tuple(answers)))
            trace.checked(fit.fitting, fit.why)
