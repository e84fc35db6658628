"""The log never stops the event loop, and still cannot be forged."""

from __future__ import annotations

import logging
import threading

from mlxsite.logs import SafeFormatter, written_by_a_thread


class StuckHandler(logging.Handler):
    """A terminal that is paused until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.lines: list[str] = []
        self.setFormatter(SafeFormatter("%(message)s"))
        # What is left over of another test may log at any time.
        self.addFilter(lambda record: record.name == "root")

    def emit(self, record: logging.LogRecord) -> None:
        self.let_go.wait(10)
        self.lines.append(self.format(record))


def test_it_goes_on_while_the_log_cannot_be_written() -> None:
    stuck, root = StuckHandler(), logging.getLogger()
    before = root.handlers
    root.handlers = [stuck]
    try:
        with written_by_a_thread():
            for number in range(100):
                root.warning("line %s of %s", number, "a\nforger")
            assert stuck.lines == []
            stuck.let_go.set()
    finally:
        root.handlers = before
    assert len(stuck.lines) == 100
    assert stuck.lines[7] == "line 7 of a\\nforger"
