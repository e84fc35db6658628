"""The operator's own function that decides what is kept of prompts and answers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from inference.core.events import RequestBodies

# Returns what may be kept of it; `None`: nothing. Called in the writer thread.
Redact = Callable[[RequestBodies], RequestBodies | None]


class RedactorError(ValueError):
    """`BODY_REDACTOR` names nothing that can be called; the message says why."""


def find_redactor(name: str) -> Redact | None:
    """Return the function that `package.module.function` means; empty: none.

    Raises:
        RedactorError: it cannot be imported, or cannot be called.
    """
    if not name:
        return None
    module, _, function = name.rpartition(".")
    try:
        found = getattr(import_module(module), function)
    except Exception as error:
        # A module may raise anything while it is imported.
        reason = f"{type(error).__name__}: {error}"
        raise RedactorError(
            f"BODY_REDACTOR {name!r} cannot be imported ({reason})"
        ) from error
    if not callable(found):
        raise RedactorError(f"BODY_REDACTOR {name!r} cannot be called")
    redact: Redact = found
    return redact
