"""The process that downloads a model: `python -m inference.library.hub_download REPO`.

It owns what it writes into the hub's cache, and can be killed at any moment: the
next one goes on from there. A model appears in the cache when all of it is there.
Its standard output is lines of JSON (`hub_reports`), the last one the result.
HF_ENDPOINT, HF_TOKEN and HF_HOME mean what they mean to huggingface_hub.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from huggingface_hub import constants, hf_hub_url, snapshot_download

from inference.library.files import (
    problem_with_files,
)
from inference.library.hub_blobs import (
    SHA256,
    Blob,
    fetch_blob,
)
from inference.library.hub_errors import UnfetchableError, explain
from inference.library.hub_plan import COMMIT, Plan, ensure_room, make_plan
from inference.library.hub_reports import (
    PATTERNS,
    DownloadProgress,
    Fetched,
    HubRefusal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO


REPORT_EVERY_S = 0.25
AT_ONCE = 4  # files


def main(arguments: Sequence[str] | None = None) -> int:
    """Download one model and say so; return the exit code."""
    parser = argparse.ArgumentParser(prog="inference.library.hub_download")
    parser.add_argument("repo")
    parser.add_argument("--revision", default=constants.DEFAULT_REVISION)
    asked = parser.parse_args(arguments)
    reports = Reports(_take_stdout())
    try:
        path = download(asked.repo, asked.revision, reports)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the other side is told
        reports.say(HubRefusal(explain(error, asked.repo)))
        return 1
    reports.say(Fetched(str(path)))
    return 0


def download(repo_id: str, revision: str, reports: Reports) -> Path:
    """Return the folder of the model, complete.

    Raises:
        Exception: what `hub_errors.explain` has the words for.
    """
    plan = make_plan(repo_id, revision)
    ensure_room(plan)
    for folder in (plan.blobs, plan.locks):
        folder.mkdir(parents=True, exist_ok=True)
    with reports.following(plan):
        _fetch_large(plan)
        # The small files, and the links that make a snapshot of all of them.
        path = Path(
            snapshot_download(
                repo_id, revision=plan.commit, allow_patterns=PATTERNS, max_workers=4
            )
        )
    problem = problem_with_files(path)
    if problem:
        raise UnfetchableError(f"{repo_id} is not an MLX model: {problem}")
    _name(plan, revision)
    return path


class Reports:
    """The lines to the process that started this one."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def say(self, report: DownloadProgress | Fetched | HubRefusal) -> None:
        """Write one line; leave where nobody reads any more."""
        try:
            self._out.write(msgspec.json.encode(report) + b"\n")
            self._out.flush()
        except OSError:
            os._exit(1)

    @contextmanager
    def following(self, plan: Plan) -> Iterator[None]:
        """Report the progress meanwhile, and once more at the end."""
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(REPORT_EVERY_S):
                self.say(plan.progress())

        self.say(plan.progress())
        thread = threading.Thread(target=follow, name="reports", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        self.say(plan.progress())


def _fetch_large(plan: Plan) -> None:
    """Fetch the files that are worth going on with, some at a time.

    The first error counts: the other threads end with this process.
    """
    large = {file.digest: file for file in plan.files if _is_resumable(file)}
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
    started = [pool.submit(_fetch, plan, file) for file in large.values()]
    ended, _ = wait(started, return_when=FIRST_EXCEPTION)
    pool.shutdown(wait=False, cancel_futures=True)
    for one in ended:
        one.result()


def _is_resumable(file: Blob) -> bool:
    """Whether its content can be checked, and travels over plain HTTP at all."""
    return (
        SHA256.fullmatch(file.digest) is not None
        and 0 < file.size_bytes <= constants.MAX_HTTP_DOWNLOAD_SIZE
    )


def _fetch(plan: Plan, file: Blob) -> None:
    url = hf_hub_url(plan.repo_id, file.name, revision=plan.commit)
    fetch_blob(file, url=url, blobs=plan.blobs, locks=plan.locks)


def _name(plan: Plan, revision: str) -> None:
    """Have the revision's name mean this commit, now that all of it is there."""
    if COMMIT.fullmatch(revision):
        return
    name = plan.folder / "refs" / revision
    name.parent.mkdir(parents=True, exist_ok=True)
    draft = name.with_name(f"{name.name}.{os.getpid()}")
    draft.write_text(plan.commit)
    draft.replace(name)


def _take_stdout() -> BinaryIO:
    """Return standard output for the reports; what libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.stderr.flush()
    # Without waiting for threads that a slow hub keeps waiting.
    os._exit(code)
