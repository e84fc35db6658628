"""The small cast of the metrics tests: records, recorders and real databases."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connections

from inference.core.events import RequestRecord, ServerEvent
from inference.core.outcomes import FinishReason, Outcome, Phase, RequestKind
from inference.core.trace import ServerIdentity
from metrics.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = 1_800_000_000.0
PATIENCE_S = 60.0


def started(boot_id: str = "boot", **changes: Any) -> RequestRecord:
    """Return the first record of a request."""
    record = RequestRecord(
        request_id=f"req-{uuid.uuid4().hex}",
        node="node",
        boot_id=boot_id,
        started_at=NOON,
        endpoint="/v1/chat/completions",
    )
    return msgspec.structs.replace(record, **changes)


def ended(record: RequestRecord, **changes: Any) -> RequestRecord:
    """Return the last record of a request: a finished generation unless told."""
    values: dict[str, Any] = {
        "outcome": Outcome.FINISHED,
        "phase": Phase.DECODE,
        "kind": RequestKind.TEXT_STREAM,
        "stream": True,
        "model": "tiny",
        "admitted": True,
        "http_status": 200,
        "prompt_tokens": 20,
        "cached_tokens": 5,
        "completion_tokens": 150,
        "words": 75,
        "characters": 450,
        "finish_reason": FinishReason.STOP,
        "prepare_s": 0.1,
        "queue_s": 0.5,
        "prefill_s": 0.4,
        "ttft_s": 1.0,
        "decode_s": 1.0,
        "total_s": 2.0,
        "tps": 100.0,
        "finished_at": record.started_at + 2.0,
    }
    return msgspec.structs.replace(record, **values | changes)


def event(**changes: Any) -> ServerEvent:
    """Return a server event."""
    values = {"kind": "model_load", "at": NOON, "node": "node", "boot_id": "boot"}
    return ServerEvent(**values | changes)


class PatientRecorder(Recorder):
    """A recorder of a machine that may be very busy with other tests."""

    def start(self, timeout_s: float = PATIENCE_S) -> bool:
        """Begin."""
        return super().start(timeout_s)

    def flush(self, timeout_s: float = PATIENCE_S) -> bool:
        """Block until everything kept so far is committed."""
        return super().flush(timeout_s)

    def stop(self, timeout_s: float = PATIENCE_S) -> bool:
        """Commit everything and end."""
        return super().stop(timeout_s)


def new_recorder(data_dir: Path, boot_id: str = "boot", **options: Any) -> Recorder:
    """Return a recorder that has not started."""
    identity = ServerIdentity(node="node", boot_id=boot_id)
    return PatientRecorder(data_dir=data_dir, identity=identity, **options)


@contextmanager
def recording(
    data_dir: Path, boot_id: str = "boot", **options: Any
) -> Iterator[Recorder]:
    """Run a recorder for the length of a block."""
    recorder = new_recorder(data_dir, boot_id, **options)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()


def spool_files(data_dir: Path) -> list[Path]:
    """Return the spool files that lie in a data folder."""
    return sorted((data_dir / "spool").glob("*.jsonl"))


def leave_spool(data_dir: Path, boot_id: str, lines: list[bytes]) -> Path:
    """Leave a spool file as a server that died would."""
    folder = data_dir / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    first = b'{"line":"run","node":"node","boot_id":"%s","part":0}\n' % boot_id.encode()
    path = folder / f"node-{boot_id}.jsonl"
    path.write_bytes(b"".join([first, *lines]))
    return path


@contextmanager
def default_database(**settings: Any) -> Iterator[None]:
    """Make another database the default one, in this thread and in new ones."""
    connection, before = connections["default"], connections.settings["default"]
    connections.settings["default"] = {**before, **settings}
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = connection


def eventually(holds: Callable[[], Any], timeout_s: float = PATIENCE_S) -> bool:
    """Look again and again until `holds` is true; for what sends no signal."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
