"""Calls whose arguments are JSON, as a grammar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.structure.calls import arguments_of

if TYPE_CHECKING:
    from inference.core.requests import Tool
    from inference.dialects.call_rules import CallRules


@dataclass(frozen=True, slots=True)
class WrittenJSON:
    """Writes `before`, the arguments as JSON, `after`.

    `{name}` in `before` is the function's; other names in braces are those of
    `terminals`, regular expressions.
    """

    before: str
    after: str = ""
    terminals: tuple[tuple[str, str], ...] = ()

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression of a call; see `WriteCall`."""
        before = self.before.removeprefix(skipped)
        head = rules.filled(before, tool.name, **dict(self.terminals))
        return f"{head} {rules.json(arguments_of(tool))} {rules.literal(self.after)}"
