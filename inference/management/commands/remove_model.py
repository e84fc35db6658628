"""`mlx-server rm`: deletes a model from this machine."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from inference.conf import ServerConfig
from inference.library.places import places
from inference.library.removal import Removal, plan_removal
from inference.library.scan import Library, LibraryError, LocalModel
from inference.library.words import printable, size_in_words

WRONG_USAGE = 2


class Command(BaseCommand):
    """Names what goes and what that frees, asks, and deletes."""

    help = "Delete a model of the hub cache, of LM Studio or of the data folder."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name and the option."""
        parser.add_argument(
            "name", help="the name that `mlx-server models` shows, or its folder"
        )
        parser.add_argument("--yes", action="store_true", help="delete without asking")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Delete the model, or say in one line why not."""
        config = ServerConfig.from_settings()
        library = Library(places(data_dir=config.data_dir, extra=config.model_dirs))
        try:
            model = chosen(library, name)
            removal = plan_removal(model, library.places)
            if options["yes"] or self.is_wanted(model, removal):
                delete(removal)
                self.stdout.write(
                    f"Deleted {printable(model.name)}: "
                    f"{size_in_words(removal.freed_bytes)} freed. "
                    "A running server that has it loaded keeps it until it is unloaded."
                )
        except (LibraryError, OSError) as error:
            self.stderr.write(f"error: {printable(str(error))}")
            sys.exit(WRONG_USAGE)

    def is_wanted(self, model: LocalModel, removal: Removal) -> bool:
        """Ask on the terminal.

        Raises:
            LibraryError: there is no terminal to ask on.
        """
        size = size_in_words(removal.freed_bytes)
        self.stdout.write(
            f"{printable(model.name)} in the {model.place}: {size} in "
            f"{printable(str(removal.folder))}"
        )
        if not sys.stdin.isatty():
            raise LibraryError(
                "nothing was deleted: say --yes to delete without asking"
            )
        try:
            answer = input("Delete it? [y/N] ")
        except EOFError:
            return False
        return answer.strip().lower() in {"y", "yes"}


def chosen(library: Library, name: str) -> LocalModel:
    """Return the one model that is meant.

    Raises:
        LibraryError: none is, or several are.
    """
    if name.startswith(("/", "~")):
        return library.at(name)
    found = library.find(name)
    if found is None:
        raise LibraryError(f"no model {name!r} here: see mlx-server models")
    same = [model for model in library.all() if model.name == found.name]
    if len(same) > 1:
        folders = ", ".join(f"{model.path} ({model.place})" for model in same)
        raise LibraryError(
            f"{found.name} is there {len(same)} times: name one folder of {folders}"
        )
    return found


def delete(removal: Removal) -> None:
    """Delete it, and see that it is gone.

    Raises:
        LibraryError: something of it is left.
        OSError: a file cannot be deleted.
    """
    removal.run()
    if removal.folder.exists():
        raise LibraryError(f"{removal.folder} could not be deleted whole")
