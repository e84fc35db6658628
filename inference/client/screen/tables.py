"""Tables: drawn on a terminal, plain columns under each other in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inference.client.screen.words import duration, one_line, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, RenderableType

MISSING = "-"
STATE_STYLES = {
    "ready": "green",
    "failed": "red",
    "quarantined": "red",
    "unloaded": "dim",
}
GAP = 2
# A name gets so many columns before a table is too wide for a terminal.
NAME_WIDTH = 16
SELF_EVIDENT = {"STATE", "PHASE", "CAN DO"}
RIGHT = {"MEMORY", "CONTEXT", "RUNS", "WAITS", "AGE", "PROMPT", "TOKENS", "TOK/S"}


def model_table(models: Sequence[dict[str, Any]], console: Console) -> RenderableType:
    """Return the models with what their server tells of them, and what is wrong."""
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "MODEL": lambda model: one_line(model["id"]),
        "STATE": _state,
        "MEMORY": lambda model: size(
            _number(model, "memory_bytes") or _number(model, "size_bytes")
        ),
        "CONTEXT": lambda model: _told(model, "context_length"),
        "CAN DO": lambda model: one_line(", ".join(model.get("capabilities") or ())),
        "RUNS": lambda model: _told(model, "active_requests"),
        "WAITS": lambda model: _told(model, "queue_size"),
    }
    # Other servers tell less.
    shown = [
        name
        for name in columns
        if name == "MODEL" or any(_is_told(model, name) for model in models)
    ]
    rows = [[columns[name](model) or MISSING for name in shown] for model in models]
    faults = [
        Text(f"{one_line(model['id'])}: {one_line(model['error'])}", style="fault")
        for model in models
        if model.get("error")
    ]
    return Group(_table(shown, rows, console), *faults)


def request_table(
    requests: Sequence[dict[str, Any]], console: Console
) -> RenderableType:
    """Return the requests that run: model, phase, how old, how far."""
    head = ["ID", "MODEL", "PHASE", "AGE", "PROMPT", "TOKENS", "TOK/S", "CLIENT"]
    return _table(head, [_request_row(each) for each in requests], console)


def _request_row(request: dict[str, Any]) -> list[str]:
    place = request.get("place")
    phase = one_line(request.get("phase", MISSING))
    speed = request.get("tokens_per_s")
    who = request.get("key") or request.get("user") or request.get("client")
    age = request.get("age_s")
    return [
        one_line(request["id"]).removeprefix("req-")[:8],
        one_line(request.get("model") or MISSING),
        f"{phase} (place {place})" if isinstance(place, int) else phase,
        duration(age) if isinstance(age, int | float) else MISSING,
        _told(request, "prompt_tokens") or MISSING,
        _told(request, "completion_tokens") or MISSING,
        f"{speed:,.1f}" if isinstance(speed, int | float) else MISSING,
        one_line(who or MISSING),
    ]


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> RenderableType:
    if not console.is_terminal:
        return _plain(head, rows)
    if _narrowest(head, rows) > console.width:
        return _cards(head, rows)
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    for name in head:
        # Names are what one copies: they are wrapped, never cut.
        table.add_column(
            name,
            justify="right" if name in RIGHT else "left",
            overflow="fold",
            no_wrap=name != "MODEL",
        )
    for row in rows:
        table.add_row(
            *(_cell(name, cell) for name, cell in zip(head, row, strict=True))
        )
    return table


def _narrowest(head: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return the columns that a table takes at least; only names are wrapped."""
    total = 0
    for name, column in zip(head, zip(*rows, strict=True), strict=True):
        width = max(map(cell_len, [name, *column]))
        total += min(width, NAME_WIDTH) if name == "MODEL" else width
    return total + GAP * (len(head) - 1)


def _cards(head: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    """Return each row as its model, and what is to be said of it in the next line."""
    lines: list[RenderableType] = []
    at = head.index("MODEL")
    for row in rows:
        said = [
            cell if name in SELF_EVIDENT else f"{name.lower()} {cell}"
            for name, cell in zip(head, row, strict=True)
            if name != "MODEL" and cell != MISSING
        ]
        lines.append(Text(row[at], style="name", overflow="fold"))
        lines.append(Padding(Text(", ".join(said)), (0, 0, 0, 2)))
    return Group(*lines)


def _cell(name: str, cell: str) -> Text:
    if name == "STATE":
        return Text(cell, style=STATE_STYLES.get(cell.partition(",")[0], "yellow"))
    return Text(cell, style="bold" if name == "MODEL" else "")


def _plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Text:
    """Return columns two blanks apart, as wide as they are, for other programs."""
    widths = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell + " " * (width - cell_len(cell))
            for cell, width in zip(row, widths, strict=True)
        )
        for row in [head, *rows]
    ]
    return Text("\n".join(map(str.rstrip, lines)), no_wrap=True, overflow="ignore")


_TOLD_BY = {
    "STATE": ("state",),
    "MEMORY": ("memory_bytes", "size_bytes"),
    "CONTEXT": ("context_length",),
    "CAN DO": ("capabilities",),
    "RUNS": ("active_requests",),
    "WAITS": ("queue_size",),
}


def _is_told(model: dict[str, Any], column: str) -> bool:
    return any(model.get(field) is not None for field in _TOLD_BY[column])


def _state(model: dict[str, Any]) -> str:
    state = _told(model, "state") or MISSING
    progress = model.get("progress")
    if isinstance(progress, int | float) and state in {"loading", "downloading"}:
        state = f"{state} {100 * progress:.0f} %"
    return f"{state}, pinned" if model.get("pinned") else state


def _told(item: dict[str, Any], field: str) -> str:
    value = item.get(field)
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else one_line(value)


def _number(item: dict[str, Any], field: str) -> int | None:
    value = item.get(field)
    return value if isinstance(value, int) else None
