"""The process that encodes long texts: `python -m inference.prompting.encoder`.

Jobs come and answers go over the socket `--jobs`; the tokenizer is read from the
file `--tokenizer`, both numbers of what was inherited. A tokenizer at work cannot be stopped, so this process is bounded
from within: its memory, and the processor's time for each job. Over a bound it dies,
by a signal that says which (`SIGPROF`: time). It ends with the process it works for,
also in the middle of a text.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from tokenizers import Tokenizer

from inference.core.child_processes import bound_this_process, peak_bytes
from inference.core.frames import FrameReader, to_bytes
from inference.core.limits import MIB

# One that has needed more is followed by a fresh process.
SPENT_BYTES = 512 * MIB
READ_BYTES = 1 * MIB


class EncodeText(msgspec.Struct, frozen=True):
    """Encode `text`, within `cpu_s` seconds of the processor; see `TextEncoded`."""

    text: str
    add_special_tokens: bool
    cpu_s: float


class TextEncoded(msgspec.Struct, frozen=True):
    """The tokens of a text, or why its tokenizer gave up on it.

    `is_last`: the process ends now, having needed much memory.
    """

    tokens: list[int]
    fault: str = ""
    is_last: bool = False


def tokens_of(backend: Any, text: str, *, add_special_tokens: bool) -> list[int]:
    """Return a text's tokens; other threads run meanwhile."""
    (encoding,) = backend.encode_batch_fast(
        [text], add_special_tokens=add_special_tokens
    )
    tokens: list[int] = encoding.ids
    return tokens


def gave_up(error: BaseException) -> bool:
    """Whether it is a tokenizer's panic: its pattern cannot follow every text."""
    return type(error).__name__ == "PanicException"


class TextEncoder:
    """Answers one job after the other."""

    def __init__(self, connection: socket.socket, backend: Any) -> None:
        self._connection = connection
        self._backend = backend

    def answer(self, job: EncodeText) -> None:
        """Encode and send what became of it."""
        signal.setitimer(signal.ITIMER_PROF, job.cpu_s)
        tokens, fault = list[int](), ""
        try:
            tokens = tokens_of(
                self._backend, job.text, add_special_tokens=job.add_special_tokens
            )
        except BaseException as error:
            if not (gave_up(error) or isinstance(error, MemoryError)):
                raise
            fault = str(error) or "it needs too much memory"
        signal.setitimer(signal.ITIMER_PROF, 0)
        is_last = peak_bytes() > SPENT_BYTES
        self._connection.sendall(to_bytes(TextEncoded(tokens, fault, is_last)))
        if is_last:
            os._exit(0)


def main() -> int:
    """Serve until the other end of the socket is closed."""
    parser = argparse.ArgumentParser(prog="inference.prompting.encoder")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--tokenizer", type=int, required=True)
    parser.add_argument("--addresses-bytes", type=int, required=True)
    options = parser.parse_args()
    bound_this_process(options.addresses_bytes)
    size = os.fstat(options.tokenizer).st_size
    backend = Tokenizer.from_buffer(os.pread(options.tokenizer, size, 0))
    connection = socket.socket(fileno=options.jobs)
    encoder = TextEncoder(connection, backend)
    reader = FrameReader(EncodeText)
    with ThreadPoolExecutor(1) as pool:
        while data := connection.recv(READ_BYTES):
            for job in reader.feed(data):
                pool.submit(_answered, encoder, job)
        os._exit(0)


def _answered(encoder: TextEncoder, job: EncodeText) -> None:
    """Answer a job; where that fails, the process ends and so the other end knows."""
    try:
        encoder.answer(job)
    except BaseException as error:  # noqa: BLE001 -- nothing may be left waiting
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
