"""The recorder: requests become rows, and no end of the server loses one.

The event loop appends a line to this run's spool file (`spool`); a thread reads
the file and commits rows together with its position (`writer`, `commits`); the
files of runs that died are read at the next start (`dead_runs`); runs whose files are
gone too are ended by another server (`lost_runs`), which misses their `heartbeat`.
"""

from __future__ import annotations

from metrics.recorder.heartbeat import RunHeartbeat
from metrics.recorder.recorder import Recorder
from metrics.recorder.writer import Keeping

__all__ = ["Keeping", "Recorder", "RunHeartbeat"]
