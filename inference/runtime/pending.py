"""An encoding that a worker is at work on: what of it has come, and who waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inference.core.encoding import Encoded
from inference.core.errors import GenerationError

if TYPE_CHECKING:
    from inference.core.errors import InferenceError
    from inference.core.frames import InputsEncoded


class PendingEncoding:
    """Owns the parts until the last has come; `result` is awaited once."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._parts: list[bytes] = []
        self.result: asyncio.Future[Encoded] = (
            asyncio.get_running_loop().create_future()
        )

    def add(self, report: InputsEncoded) -> None:
        """Take a part."""
        if report.message:
            self.fail(GenerationError(report.message))
            return
        self._parts.append(report.values)
        if report.is_last and not self.result.done():
            values = b"".join(self._parts)
            self.result.set_result(Encoded(values, report.width, self._tokens))

    def fail(self, error: InferenceError) -> None:
        """Have whoever waits meet an error."""
        if not self.result.done():
            self.result.set_exception(error)
