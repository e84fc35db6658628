"""How many bytes the images of one request may have together."""

from __future__ import annotations

from inference.core.errors import ImageTooLargeError


class ByteRoom:
    """What is left for the images of one request."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes

    def take(self, count: int) -> None:
        """Take `count` bytes.

        Raises:
            ImageTooLargeError: they are not left.
        """
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise ImageTooLargeError(
                f"the images of this request have more than {self._limit_bytes:,} "
                "bytes together."
            )
