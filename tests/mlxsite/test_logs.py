"""Log lines are ours alone."""

from __future__ import annotations

import logging

from mlxsite.logs import FORMAT, SafeFormatter, tells_more_than_the_request_log


def record_of(message: str, *args: object, failing: bool = False) -> logging.LogRecord:
    exc_info = (ValueError, ValueError("no"), None) if failing else None
    return logging.LogRecord("mlxsite", 20, __file__, 1, message, args, exc_info)


def test_a_client_cannot_forge_a_line() -> None:
    record = record_of("asked for %s", "x\r\n2026 INFO mlxsite all is well\x1b[2K")

    line = SafeFormatter(FORMAT).format(record)

    assert line.endswith(r"asked for x\r\n2026 INFO mlxsite all is well\x1b[2K")
    assert record.args == ("x\r\n2026 INFO mlxsite all is well\x1b[2K",)


def test_a_message_keeps_its_own_lines_and_its_numbers() -> None:
    record = record_of("Tokens: %d\nTime: %.2fs", 25, 3.219)

    assert SafeFormatter("%(message)s").format(record) == "Tokens: 25\nTime: 3.22s"


def test_arguments_by_name_are_escaped_too() -> None:
    record = record_of("%(who)s", {"who": "a\nb"})

    assert SafeFormatter("%(message)s").format(record) == r"a\nb"


def test_a_refusal_is_not_logged_a_second_time() -> None:
    assert not tells_more_than_the_request_log(record_of("Not Found: /v1/x"))
    assert tells_more_than_the_request_log(record_of("broken", failing=True))
