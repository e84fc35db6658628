"""How an answer is shown while it comes: what all views promise, and their pace."""

from __future__ import annotations

import asyncio
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from inference.client.screen.consoles import has_terminal

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

# Twelve times a second is smooth; slow machines are left time for other things.
PAUSE_S = 0.08
SHARE_OF_TIME = 0.2


class View(Protocol):
    """Shows what others fill."""

    def draw(self) -> None:
        """Show what is new; called again and again."""

    def finish(self) -> None:
        """Show the rest; called once, at the end, whatever that was."""


def show_while(view: View, work: Coroutine[Any, Any, None]) -> None:
    """Run the work to its end and show it meanwhile.

    Ctrl-C cancels the work; what has come is shown, then the interrupt is raised.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        ServerError: what the work raised.
    """
    with quiet_keys():
        asyncio.run(_show_while(view, work))


async def _show_while(view: View, work: Coroutine[Any, Any, None]) -> None:
    tasks = asyncio.ensure_future(work), asyncio.create_task(_keep_drawing(view))
    try:
        # Drawing ends first only where nobody reads any more.
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        view.finish()


async def _keep_drawing(view: View) -> None:
    while True:
        began = time.monotonic()
        view.draw()
        took = time.monotonic() - began
        await asyncio.sleep(max(PAUSE_S, took / SHARE_OF_TIME))


@contextmanager
def quiet_keys() -> Iterator[None]:
    """Let what is typed meanwhile wait for the next prompt, unseen.

    It would be echoed into the lines that are being drawn.
    """
    if not has_terminal():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    quiet = before.copy()
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(keyboard, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
