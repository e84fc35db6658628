"""Every shape of conversation through every family's template: `make families`.

Prints what each keeps, what is written out in words, and what is refused. Ends with
1 where anything is lost in silence, or a template refuses everything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_lm.tokenizer_utils import load as load_tokenizer

from inference.engine.text.formats import formats_of
from tests.families.scripted import dress
from tests.families.shapes import (
    CHECKS,
    KEPT,
    LOST,
    REFUSED,
    WRITTEN,
    Dressed,
    Outcome,
    outcomes,
)
from tests.families.templates import REPOSITORY, templates

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = REPOSITORY / "docs" / "families.md"
_BEGIN, _END = "<!-- made by make families -->", "<!-- end -->"
_SIGNS = {KEPT: "✓", WRITTEN: "words", REFUSED: "refused", LOST: "LOST"}
Row = dict[str, Outcome]


def dressed(name: str, template: str, folder: Path) -> Dressed:
    """Return a small real tokenizer with a family's template and markers."""
    dress(folder, template)
    tokenizer = load_tokenizer(folder)
    size = len(tokenizer.get_vocab())
    return Dressed(name, tokenizer, formats_of(tokenizer, vocabulary=size))


def sweep(names: Iterable[str] = ()) -> dict[str, Row]:
    """Try these templates, or all."""
    found = templates()
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names or found:
            template = found[name].read_text(encoding="utf-8")
            family = dressed(name, template, Path(folder) / name.replace("/", "-"))
            rows[name] = dict(outcomes(family))
    return rows


def faults(rows: dict[str, Row]) -> list[str]:
    """Return what must not be: anything lost, or everything refused."""
    found = []
    for name, row in rows.items():
        found += [
            f"{name}: {shape}: {'; '.join(outcome.why)}"
            for shape, outcome in row.items()
            if outcome.kind == LOST
        ]
        kinds = {outcome.kind for shape, outcome in row.items() if shape != "effort"}
        if kinds == {REFUSED}:
            found.append(f"{name}: everything is refused")
    return found


def table(rows: dict[str, Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| template | " + " | ".join(CHECKS) + " |",
        "|---" * (len(CHECKS) + 1) + "|",
    ]
    for name, row in rows.items():
        cells = [_SIGNS.get(outcome.kind, outcome.kind) for outcome in row.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _written(page: str, made: str) -> str:
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{made}\n\n{_END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="templates; none: all")
    parser.add_argument("--why", action="store_true", help="say why, for each")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    asked = parser.parse_args()
    rows = sweep(asked.names)
    made = table(rows)
    lines = [made]
    if asked.why:
        for name, row in rows.items():
            for shape, outcome in row.items():
                if outcome.why:
                    lines.append(f"{name}: {shape}: {'; '.join(outcome.why)}")
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_written(text, made), encoding="utf-8")
    wrong = faults(rows)
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
