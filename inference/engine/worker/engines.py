"""What a worker needs of an engine, and which engine serves which kind of model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import LoadModel, ModelLoaded
    from inference.engine.answers.sender import Sender


class Engine(Protocol):
    """A model in memory, and what computes with it."""

    @property
    def loaded(self) -> ModelLoaded:
        """What the web process is told of it, but for how long the load took."""

    def post(self, command: Any) -> None:
        """Take a frame of the web process, or word of the sender; never waits.

        Called by the reader's thread and the sender's.
        """

    def run(self) -> None:
        """Serve on this thread, which is the only one that touches MLX."""


# Modules with `open_engine(command, sender, on_progress)`, by the kind of model; each
# is imported only where a model needs it.
ENGINES = {
    "lm": "inference.engine.worker.text_engine",
    "vlm": "inference.engine.worker.text_engine",
    "encoder": "inference.engine.encoder.engine",
}


def open_engine(
    command: LoadModel, sender: Sender, on_progress: Callable[[int, int], None]
) -> Engine:
    """Load a model into the engine for its kind.

    Raises:
        Exception: whatever the libraries raise where it cannot be loaded.
    """
    module = import_module(ENGINES[command.kind])
    engine: Engine = module.open_engine(command, sender, on_progress)
    return engine
