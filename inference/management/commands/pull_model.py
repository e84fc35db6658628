"""`mlx-server pull`: download a model; without a name, what would fit here."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from inference.conf import ServerConfig
from inference.library.advice import suggest
from inference.library.download_meter import ProgressLine
from inference.library.hub import HubError, cached, download, is_hub_id
from inference.library.machine import computes_on_cpu, memory_bytes
from inference.library.words import size_in_words

if TYPE_CHECKING:
    from pathlib import Path

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


class Command(BaseCommand):
    """Needs no running server, and no database."""

    help = "Download a model from the hub; without a name, suggest some."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name."""
        parser.add_argument(
            "repo",
            nargs="?",
            metavar="ORG/NAME",
            help="the model's name on the hub (HF_ENDPOINT, HF_TOKEN and HF_HOME "
            "are honoured)",
        )

    def handle(self, *args: Any, repo: str | None, **options: Any) -> None:
        """Suggest, or download and say how to go on."""
        if repo is None:
            self.suggest()
        elif not is_hub_id(repo):
            self.leave(
                f"{repo!r} is not the name of a model on a hub: ORG/NAME, such as "
                "mlx-community/Qwen3-4B-4bit",
                WRONG_USAGE,
            )
        else:
            self.pull(repo)

    def suggest(self) -> None:
        """Print three models for this machine, with the commands to get them."""
        memory, on_cpu = memory_bytes(), computes_on_cpu()
        where = "on its CPU" if on_cpu else "on its GPU"
        self.stdout.write(
            f"This machine has {size_in_words(memory)} of memory and computes {where}."
        )
        found = suggest(memory_bytes=memory, on_cpu=on_cpu)
        if not found:
            self.stdout.write(
                "None of the models that are suggested here fits; the built-in one "
                "does: mlx-server launch"
            )
            return
        self.stdout.write("What fits, with room for conversations:")
        for one in found:
            size = size_in_words(one.model.size_bytes)
            self.stdout.write(
                f"  {one.role:<9} about {size} to download; {one.model.words}\n"
                f"            mlx-server pull {one.model.repo_id}"
            )

    def pull(self, repo: str) -> None:
        """Download one model and say where it is."""
        config = ServerConfig.from_settings()
        path = cached(repo)
        if path is not None:
            self.stdout.write(f"{repo} is here already.")
        elif not config.allow_download:
            self.leave(
                "ALLOW_DOWNLOAD is off: nothing is downloaded. For this once: "
                f"ALLOW_DOWNLOAD=1 mlx-server pull {repo}",
                WRONG_USAGE,
            )
        else:
            path = self.fetch(repo)
        self.say_ready(repo, path)
        if config.allow_on_demand:
            self.stdout.write(
                f'Or name it: a running server loads it for "model": "{repo}"'
            )

    def fetch(self, repo: str) -> Path:
        """Download with a line of progress; leave where that fails."""
        self.stdout.write(f"Downloading {repo}")
        terminal = self.stdout.isatty()
        try:
            with ProgressLine(self.show, is_terminal=terminal) as line:
                return asyncio.run(download(repo, on_progress=line.show))
        except HubError as error:
            self.leave(str(error), FAILED)
        except KeyboardInterrupt:
            self.stderr.write(
                "Stopped. What was fetched stays: the same command goes on from there."
            )
            sys.exit(INTERRUPTED)

    def show(self, text: str) -> None:
        """Write at once, and no line end but the text's own."""
        self.stdout.write(text, ending="")
        self.stdout.flush()

    def say_ready(self, repo: str, path: Path) -> None:
        """Say where the model is and how it is used."""
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        self.stdout.write(
            f"{size_in_words(size)} in {path}\n"
            f"Serve it: mlx-server launch --model-path {repo}"
        )

    def leave(self, message: str, code: int) -> NoReturn:
        """End the command with one line."""
        self.stderr.write(f"error: {message}")
        sys.exit(code)
