"""What was found, on a terminal or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlxsite.doctor.examination import is_healthy
from mlxsite.doctor.findings import GLYPHS, PLAIN_GLYPHS, State

if TYPE_CHECKING:
    from mlxsite.doctor.findings import Finding

COLOURS = {
    State.WELL: "green",
    State.NOTE: "cyan",
    State.WARNING: "yellow",
    State.WRONG: "bold red",
}


def write_report(findings: list[Finding], out: TextIO, *, as_json: bool) -> None:
    """Write all findings."""
    if as_json:
        found = {
            "is_healthy": is_healthy(findings),
            "findings": [asdict(finding) for finding in findings],
        }
        out.write(f"{json.dumps(found, indent=1)}\n")
        return
    console = Console(file=out, highlight=False)
    is_plain = not console.encoding.startswith("utf")
    glyphs, arrow = (PLAIN_GLYPHS, "->") if is_plain else (GLYPHS, "→")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        glyph = Text(glyphs[finding.state], style=COLOURS[finding.state])
        table.add_row(glyph, finding.name, _words(finding, arrow))
    console.print(table)
    console.print(Text(last_line(findings), style="bold"))


def last_line(findings: list[Finding]) -> str:
    """Return the sum of it."""
    wrong = sum(finding.state is State.WRONG for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    if not wrong and not warnings:
        return "All is well."
    parts = [_counted(wrong, "is wrong", "are wrong")] if wrong else []
    if warnings:
        parts.append(_counted(warnings, "could be better", "could be better"))
    return f"{', '.join(parts).capitalize()}."


def _words(finding: Finding, arrow: str) -> Text:
    text = Text(finding.words)
    if finding.advice:
        text.append(f"\n{arrow} {finding.advice}", style=COLOURS[finding.state])
    return text


def _counted(count: int, one: str, many: str) -> str:
    return f"one thing {one}" if count == 1 else f"{count} things {many}"
