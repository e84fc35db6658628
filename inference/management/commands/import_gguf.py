"""`mlx-server import`: makes a model of a GGUF file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from inference.conf import ServerConfig
from inference.library.convert import ConversionError, Prospect
from inference.library.download_meter import ProgressLine
from inference.library.gguf_import import GGUFImport
from inference.library.machine import computes_on_cpu
from inference.library.places import FLOAT32, QUANTIZED
from inference.library.words import printable, size_in_words

WRONG_USAGE, INTERRUPTED = 2, 130


class Command(BaseCommand):
    """Needs no running server, and no database."""

    help = "Make a model of a GGUF file (Q4_0, Q4_1, Q8_0, F16; llama, qwen2, gemma)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the options."""
        usual = FLOAT32 if computes_on_cpu() else QUANTIZED
        add = parser.add_argument
        add("source", type=Path, metavar="FILE.gguf", help="the file; it stays")
        add("--name", default="", help="the model's name (default: as the file says)")
        add(
            "--dtype",
            choices=(FLOAT32, QUANTIZED),
            default=usual,
            help="unpack the weights to float32, quickest on a CPU; or keep them as "
            f"they are, smallest and quickest on a GPU (default here: {usual})",
        )
        add("--force", action="store_true", help="replace a model of the same name")

    def handle(self, *args: Any, source: Path, **options: Any) -> None:
        """Import the file, or say in one line why not."""
        job = GGUFImport(
            source=source,
            models_dir=ServerConfig.from_settings().data_dir / "models",
            dtype=options["dtype"],
            name=options["name"],
            may_replace=options["force"],
        )
        try:
            target, prospect = job.prepare()
            self.say_what(job, prospect)
            with ProgressLine(self.show, is_terminal=self.stdout.isatty()) as line:
                job.run(target, on_progress=line.show, on_wait=self.say_waiting)
        except (ConversionError, OSError) as error:
            self.stderr.write(f"error: {printable(str(error))}")
            sys.exit(WRONG_USAGE)
        except KeyboardInterrupt:
            self.stderr.write("Stopped. Nothing is left of it.")
            sys.exit(INTERRUPTED)
        self.say_ready(target)

    def say_what(self, job: GGUFImport, prospect: Prospect) -> None:
        """Name the file, and what it will be."""
        self.stdout.write(
            f"{printable(job.source.name)}: {prospect.architecture}, "
            f"{count_in_words(prospect.parameters)} weights, "
            f"{size_in_words(prospect.size_bytes)} as {job.dtype}"
        )

    def say_ready(self, target: Path) -> None:
        """Name what was made, and how it is served."""
        size = sum(file.stat().st_size for file in target.iterdir())
        self.stdout.write(f"Made {target} ({size_in_words(size)})")
        path = shlex.quote(str(target))
        self.stdout.write(f"Serve it: mlx-server launch --model-path {path}")

    def say_waiting(self) -> None:
        """Say why nothing happens."""
        self.stdout.write("Another model is just being made; waiting for it")

    def show(self, text: str) -> None:
        """Write at once, and no line end but the text's own."""
        self.stdout.write(text, ending="")
        self.stdout.flush()


def count_in_words(count: int) -> str:
    """Return a number to three digits: `8.03 billion`."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.3g} {word}"
    return f"{count:,}"
