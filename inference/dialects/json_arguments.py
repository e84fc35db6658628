"""Calls whose arguments are JSON, as a grammar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.structure.arguments import arguments_of

if TYPE_CHECKING:
    from inference.core.requests import Tool
    from inference.dialects.call_rules import CallRules


@dataclass(frozen=True, slots=True)
class WrittenJSON:
    """Writes `before`, the arguments as JSON, `after`.

    `{name}` in `before` is the function's; other names in braces are those of
    `terminals`, regular expressions. `tagged` may stand where `{tagged}` does, once.
    """

    before: str
    after: str = ""
    terminals: tuple[tuple[str, str], ...] = ()
    tagged: str = ""

    def __call__(self, tool: Tool, rules: CallRules, skipped: str = "") -> str:
        """Return the expression of a call; see `WriteCall`."""
        head = self._filled(self.before.removeprefix(skipped), tool.name, rules)
        close = self._filled(self.after, tool.name, rules)
        return f"{head} {rules.json(arguments_of(tool))} {close}"

    def _filled(self, template: str, name: str, rules: CallRules) -> str:
        terminals = dict(self.terminals)
        before, _, after = template.partition("{tagged}")
        found = rules.filled(before, name, **terminals)
        if before == template:
            return found
        maybe = rules.filled(self.tagged, name, **terminals)
        return f"{found} ({maybe})? {rules.filled(after, name, **terminals)}"
