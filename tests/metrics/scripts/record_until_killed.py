"""Records requests without end and says each that it has recorded, until killed.

Each says `start ID` or `end ID` on standard output after the observer's call
returned. Every third request gets no end. `--flush` waits for the database first.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")

import django


def say(*words: str) -> None:
    """Say something that a reader sees at once."""
    os.write(1, (" ".join(words) + "\n").encode())


def main() -> None:
    """Record, flush now and then, never stop."""
    django.setup()
    from tests.metrics.cast import ended, event, new_recorder, started

    boot_id, flushes = sys.argv[1], "--flush" in sys.argv
    recorder = new_recorder(
        Path(os.environ["MLX_DATA_DIR"]), boot_id, rotate_bytes=100_000
    )
    if not recorder.start():
        sys.exit("There is no database")
    recorder.server_event(event(kind="server_start", boot_id=boot_id))
    for number in count():
        record = started(boot_id)
        recorder.request_started(record)
        say("start", record.request_id)
        if number % 3:
            recorder.request_finished(ended(record))
            say("end", record.request_id)
        if flushes and number % 50 == 49:
            if not recorder.flush():
                sys.exit("The database took nothing")
            say("flushed", str(number))


main()
