"""The process that encodes long texts, from this side: a text out, tokens back."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from tempfile import TemporaryFile

from inference.core.child_processes import environment_without_preload
from inference.core.errors import InferenceError, InvalidRequestError
from inference.core.frames import FrameReader, to_bytes
from inference.core.limits import MIB
from inference.prompting.encoder import READ_BYTES, EncodeText, TextEncoded

MODULE = "inference.prompting.encoder"
# The processor's time for one text; a million tokens of prose take four or five.
CPU_S = 20.0
# A million tokens of prose need a quarter of it.
ADDRESSES_BYTES = 2048 * MIB
# The time is bounded in the process; this is for one that stands still.
STILL_S = 120.0
_NO_MEMORY = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


class EncoderProcess:
    """Owns the process; it is started when first needed, and again when it ended.

    `tokenizer` is the tokenizer as JSON, and kept in a file without a name. Any
    thread may ask, one is served.
    """

    def __init__(
        self,
        tokenizer: str,
        *,
        cpu_s: float = CPU_S,
        addresses_bytes: int = ADDRESSES_BYTES,
    ) -> None:
        self._cpu_s = cpu_s
        self._addresses_bytes = addresses_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._file = TemporaryFile()  # noqa: SIM115 -- kept as long as this
        self._file.write(tokenizer.encode())
        self._file.flush()

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Return a text's tokens.

        Raises:
            InvalidRequestError: the tokenizer cannot encode this text within the
                process's bounds, or gives up on it.
            InferenceError: the process ended for another reason.
        """
        job = to_bytes(EncodeText(text, add_special_tokens, self._cpu_s))
        with self._lock:
            connection = self._running()
            try:
                connection.sendall(job)
                answer = _read(connection)
            except OSError as error:
                raise self._death(is_still=isinstance(error, TimeoutError)) from error
            if answer.is_last:
                self.end()
        if answer.fault:
            raise unreadable(f"the model's tokenizer gave up on it ({answer.fault})")
        return answer.tokens

    def end(self) -> int:
        """End the process at once; return its exit status."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None:
            return 0
        connection.close()
        with suppress(subprocess.TimeoutExpired):
            # It may be about to end by itself, of what its status tells.
            process.wait(1)
        process.kill()
        return process.wait()

    def _running(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        return self._connection or self._started()

    def _started(self) -> socket.socket:
        ours, its = socket.socketpair()
        fds = (its.fileno(), self._file.fileno())
        with its:
            self._process = subprocess.Popen(  # noqa: S603 -- a fixed program
                [
                    *(sys.executable, "-m", MODULE),
                    *("--jobs", str(fds[0]), "--tokenizer", str(fds[1])),
                    *("--addresses-bytes", str(self._addresses_bytes)),
                ],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment_without_preload(),
            )
        ours.settimeout(STILL_S)
        self._connection = ours
        return ours

    def _death(self, *, is_still: bool) -> InferenceError:
        """Return what the process died of; it is ended where it has not."""
        status = self.end()
        if is_still or status == -signal.SIGPROF:
            return unreadable(f"that takes over {self._cpu_s:g} s")
        if -status in _NO_MEMORY:
            return unreadable("that takes too much memory")
        return InferenceError(f"The process that encodes texts ended ({status}).")


def unreadable(why: str) -> InvalidRequestError:
    """Return what a client reads of a text that no tokenizer can follow."""
    return InvalidRequestError(
        f"The text of the messages cannot be cut into tokens: {why}.",
        param="messages",
        code="text_not_readable",
    )


def _read(connection: socket.socket) -> TextEncoded:
    reader = FrameReader(TextEncoded)
    while data := connection.recv(READ_BYTES):
        for answer in reader.feed(data):
            assert isinstance(answer, TextEncoded)
            return answer
    raise ConnectionError("it has ended")
