"""Ports that are a test's own, whether anybody listens on them or not."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port on which nobody listens, for the length of a block.

    It is bound the whole time, so that no other program is given it: one that was let
    go again may be another's a moment later. A server that reuses addresses, as all of
    ours do, may still listen on it. Only Linux lets it; elsewhere the port is let go.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        if sys.platform != "linux":
            held.close()
        yield port
