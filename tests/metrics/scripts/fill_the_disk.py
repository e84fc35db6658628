"""Records while no file may grow (a full disk to a process), then with room again."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")

import django

RECORDED = 40


def main() -> None:
    """Fill, look, make room, look again; tell it as JSON."""
    django.setup()
    from metrics.models import RequestLog
    from tests.metrics.cast import ended, new_recorder, spool_files, started

    data_dir = Path(os.environ["MLX_DATA_DIR"])
    recorder = new_recorder(data_dir)
    recorder.start()
    records = [started() for _ in range(RECORDED)]
    recorder.request_started(records[0])
    recorder.flush()
    # In the middle of a line: a short write first, an error from then on.
    full = spool_files(data_dir)[0].stat().st_size + 700
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    for record in records:
        recorder.request_started(record)
        recorder.request_finished(ended(record))
    told = {
        "error_while_full": recorder._spool.last_error,
        "backlog_while_full": recorder.backlog_lines,
    }
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    recorder.flush(30)
    recorder.stop()
    told |= {
        "dropped": recorder.dropped_total,
        "recorded": RECORDED,
        "rows": RequestLog.objects.count(),
        "running": RequestLog.objects.running().count(),
    }
    print(json.dumps(told))  # noqa: T201 -- its voice


main()
