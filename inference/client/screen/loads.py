"""A load while it happens: a bar on a terminal, a line per step elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from inference.client.screen.consoles import is_drawable
from inference.client.screen.words import one_line, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

STAGES = {
    "downloading": "Downloading",
    "making_room": "Making room",
    "loading": "Loading",
}


def show_load(events: Iterable[dict[str, Any]], console: Console) -> dict[str, Any]:
    """Show how far a load is, and return the model; empty where none came.

    Raises:
        ServerError: what the events raise.
    """
    show = _drawn if is_drawable(console) else _printed
    model: dict[str, Any] = {}
    for event in show(events, console):
        if event.get("object") == "model":
            model = event
    return model


def loaded_in_words(model: dict[str, Any]) -> list[str]:
    """Return what is to be said of a model that was loaded, a line each."""
    state = one_line(model.get("state", "ready"))
    context = f", context {model.get('context_length') or '-'}"
    lines = [
        f"{one_line(model['id'])} is {state}: {size(model.get('size_bytes'))}{context}"
    ]
    if model.get("dialect"):
        lines.append(f"calls tools as {one_line(model['dialect'])}")
    lines += [f"note: {one_line(note)}" for note in model.get("notes") or ()]
    return lines


def _drawn(
    events: Iterable[dict[str, Any]], console: Console
) -> Iterator[dict[str, Any]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True
    ) as progress:
        tasks: dict[str, TaskID] = {}
        for event in events:
            stage = str(event.get("stage"))
            if stage in STAGES:
                if stage not in tasks:
                    tasks[stage] = progress.add_task(STAGES[stage], total=None)
                total = event.get("total_bytes") or None
                done = event.get("done_bytes") or 0
                progress.update(tasks[stage], total=total, completed=done)
            yield event


def _printed(
    events: Iterable[dict[str, Any]], console: Console
) -> Iterator[dict[str, Any]]:
    for event in events:
        stage = STAGES.get(str(event.get("stage")))
        if stage is not None:
            console.print(f"{stage} {_amount(event)}".rstrip())
        yield event


def _amount(event: dict[str, Any]) -> str:
    done, total = event.get("done_bytes") or 0, event.get("total_bytes") or 0
    if not total:
        return ""
    return f"{size(done)} of {size(total)} ({100 * done // total} %)"
