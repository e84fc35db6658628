"""`manage.py api_reference`: the page of parameters, from the bodies and tests."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from inference.protocol.reference import reference_page

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[3]
OPENAI_FIELDS = CHECKOUT / "tests" / "protocol" / "openai_chat_fields.json"
MARK = "shows"


class Command(BaseCommand):
    """Prints the page, or says whether a file is it."""

    help = "Print docs/parameters.md, as the bodies and the tests have it now."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file to compare."""
        parser.add_argument(
            "--check", metavar="FILE", help="exit with 1 where FILE differs"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Print or compare."""
        if not OPENAI_FIELDS.exists():
            raise CommandError("The page names tests: run this in a checkout.")
        page = reference_page(openai_fields(), shown_fields(CHECKOUT))
        if options["check"] is None:
            self.stdout.write(page, ending="")
        elif Path(options["check"]).read_text(encoding="utf-8") != page:
            raise CommandError(
                f"{options['check']} is out of date: run "
                "`python manage.py api_reference > docs/parameters.md`."
            )


def openai_fields() -> list[str]:
    """The names of createChatCompletion's fields in OpenAI's own document."""
    names: list[str] = json.loads(OPENAI_FIELDS.read_text(encoding="utf-8"))
    return names


def shown_fields(checkout: Path) -> dict[str, list[str]]:
    """The tests of a checkout that are marked to show a field, for each field."""
    shown: dict[str, list[str]] = {}
    for path in sorted((checkout / "tests").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if f"mark.{MARK}(" not in source:
            continue
        where = path.relative_to(checkout).as_posix()
        for test, field in _marks(ast.parse(source)):
            shown.setdefault(field, []).append(f"{where}::{test}")
    return shown


def _marks(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if not isinstance(mark, ast.Call) or not isinstance(
                mark.func, ast.Attribute
            ):
                continue
            if mark.func.attr == MARK:
                for argument in mark.args:
                    yield node.name, ast.literal_eval(argument)
