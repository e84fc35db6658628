"""Log lines are ours alone."""

from __future__ import annotations

import io
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from mlxsite.logs import FORMAT, SafeFormatter, tells_more_than_the_request_log

if TYPE_CHECKING:
    from collections.abc import Callable

ESC_BEL = "\x1b]0;owned\x07"
FORGED = f"x\r\n2026-01-01 INFO mlx_server all is well{ESC_BEL}\x9b2K\u202e\u2028"
ESCAPED = (
    r"x\r\n2026-01-01 INFO mlx_server all is well\x1b]0;owned\x07\x9b2K\u202e\u2028"
)


def record_of(message: str, *args: object, failing: bool = False) -> logging.LogRecord:
    exc_info = (ValueError, ValueError("no"), None) if failing else None
    return logging.LogRecord("mlx_server", 20, __file__, 1, message, args, exc_info)


def test_a_client_cannot_forge_a_line() -> None:
    record = record_of("asked for %s", "x\r\n2026 INFO mlx_server all is well\x1b[2K")

    line = SafeFormatter(FORMAT).format(record)

    assert line.endswith(r"asked for x\r\n2026 INFO mlx_server all is well\x1b[2K")
    assert record.args == ("x\r\n2026 INFO mlx_server all is well\x1b[2K",)


def test_a_message_keeps_its_own_lines_and_its_numbers() -> None:
    record = record_of("Tokens: %d\nTime: %.2fs", 25, 3.219)

    assert SafeFormatter("%(message)s").format(record) == "Tokens: 25\nTime: 3.22s"


def test_arguments_by_name_are_escaped_too() -> None:
    record = record_of("%(who)s", {"who": "a\nb"})

    assert SafeFormatter("%(message)s").format(record) == r"a\nb"


def test_a_refusal_is_not_logged_a_second_time() -> None:
    assert not tells_more_than_the_request_log(record_of("Not Found: /v1/x"))
    assert tells_more_than_the_request_log(record_of("broken", failing=True))


def written(log: Callable[[logging.Logger], Any], name: str = "daphne.server") -> str:
    """Return what a logger of this name writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter(FORMAT))
    logger = logging.Logger(name)  # noqa: LOG001 -- one that keeps no handler
    logger.addHandler(handler)
    log(logger)
    return stream.getvalue()


def test_a_library_s_message_is_one_line_whatever_it_carries() -> None:
    told = written(lambda logger: logger.error(FORGED))

    assert told.count("\n") == 1
    assert ESCAPED in told


def raised(error: Exception) -> Exception:
    """Return the exception with a traceback."""
    try:
        raise error  # noqa: TRY301
    except Exception as caught:  # noqa: BLE001 -- that is all it is for
        return caught


@pytest.mark.parametrize(
    "error",
    [ValueError(FORGED), ExceptionGroup(FORGED, [ValueError(FORGED)])],
    ids=["one", "group"],
)
def test_an_exception_forges_no_line_with_its_traceback(error: Exception) -> None:
    error.add_note(FORGED)

    told = written(
        lambda logger: logger.error("Failed: %s", error, exc_info=raised(error))
    )

    first, *others = told.split("\n")[:-1]
    assert ESCAPED in first
    assert "all is well" in "".join(others)
    assert all(line.startswith("    ") for line in others)
    assert "".join(others).isprintable()


def test_an_exception_s_words_are_one_line() -> None:
    told = written(
        lambda logger: logger.error("no", exc_info=raised(ValueError(FORGED)))
    )

    assert told.endswith(f"    ValueError: {ESCAPED}\n")


def test_a_traceback_in_a_message_forges_nothing_either() -> None:
    text = "".join(traceback.format_exception(raised(ValueError(FORGED))))

    assert written(lambda logger: logger.error(text)).count("\n") == 1


def test_a_stack_is_told_in_indented_lines() -> None:
    _, *others = written(
        lambda logger: logger.error("here", stack_info=True)
    ).splitlines()

    assert others
    assert all(line.startswith("    ") for line in others)
