"""`mlx-server models`: the models found on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.management.base import BaseCommand, CommandParser

from inference.conf import ServerConfig
from inference.library.machine import computes_on_cpu, memory_bytes
from inference.library.places import places
from inference.library.scan import Library
from inference.library.words import printable, size_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.library.places import LibraryPlace
    from inference.library.scan import LocalModel

COLUMNS = (
    *("NAME", "KIND", "SIZE", "MEMORY", "CONTEXT", "QUANTIZATION"),
    *("CAPABILITIES", "PLACE"),
)
RIGHT = {"SIZE", "MEMORY", "CONTEXT"}


class Command(BaseCommand):
    """Prints a table, or all that is known as JSON."""

    help = "List the models found on this machine, and what each of them can do."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare `--json`."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        """Look in every place and print what is there."""
        config = ServerConfig.from_settings()
        library = Library(places(data_dir=config.data_dir, extra=config.model_dirs))
        limit = config.memory_budget_bytes or memory_bytes()
        lines = as_json if json else as_table
        for line in lines(library, limit):
            self.stdout.write(line)


def as_json(library: Library, limit: int) -> Iterator[str]:
    """Yield one object: the machine, the places, the models."""
    yield json.dumps(
        {
            "memory_bytes": limit,
            "computes_on_cpu": computes_on_cpu(),
            "places": [
                {"label": place.label, "path": str(place.root)}
                for place in library.places
            ],
            "models": [
                msgspec.to_builtins(model) | {"fits": model.memory_bytes <= limit}
                for model in library.all()
            ],
        },
        indent=1,
    )


def as_table(library: Library, limit: int) -> Iterator[str]:
    """Yield a line per model, what is to be said of it, and a last line."""
    models = library.all()
    if not models:
        yield from _nothing_found(library.places)
        return
    rows = [tuple(map(printable, _row(model))) for model in models]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    yield _aligned(COLUMNS, widths)
    for model, row in zip(models, rows, strict=True):
        yield _aligned(row, widths)
        yield from (f"  {printable(note)}" for note in _notes(model, limit))
    count = "1 model" if len(models) == 1 else f"{len(models)} models"
    where = "the CPU" if computes_on_cpu() else "a GPU"
    yield f"\n{count}; {size_in_words(limit)} of memory, computing on {where}."


def _row(model: LocalModel) -> tuple[str, ...]:
    return (
        model.name,
        model.kind,
        size_in_words(model.size_bytes),
        size_in_words(model.memory_bytes) if model.memory_bytes else "-",
        f"{model.context_length:,}" if model.context_length else "-",
        model.quantization or "-",
        ", ".join(_capabilities(model)) or "-",
        model.place,
    )


def _capabilities(model: LocalModel) -> Iterator[str]:
    for name in model.capabilities:
        calls = name == "tools" and model.dialect
        yield f"{name} ({model.dialect})" if calls else name


def _notes(model: LocalModel, limit: int) -> Iterator[str]:
    if model.problem:
        yield f"cannot be served: {model.problem}"
    if model.has_unread_calls:
        yield (
            "its template knows tools in a way that nobody here reads: "
            "they are explained in words"
        )
    if model.base:
        yield f"an adapter of {model.base}"
    if model.foreign_code:
        yield (
            f"its {model.foreign_code_file} names code of its own "
            f"({model.foreign_code}): "
            "served only where it is trusted"
        )
    if model.memory_bytes > limit:
        yield (
            f"too large for this machine: it needs {size_in_words(model.memory_bytes)}"
            f" of memory, there are {size_in_words(limit)}"
        )


def _nothing_found(looked_in: Sequence[LibraryPlace]) -> Iterator[str]:
    yield "No models found. Looked in:"
    width = max(len(place.label) for place in looked_in)
    for place in looked_in:
        label = "MODEL_DIRS" if place.label == str(place.root) else place.label
        yield f"  {label:{width}}  {printable(str(place.root))}"
    yield "What would run here, and how to get it: mlx-server pull"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        f"{cell:>{width}}" if name in RIGHT else f"{cell:<{width}}"
        for name, cell, width in zip(COLUMNS, cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()
