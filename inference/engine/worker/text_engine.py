"""The engine of models that write text, whether they see or not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.encoding import EncoderTraits
from inference.core.frames import (
    CancelSequence,
    Decode,
    DropPrompt,
    EncodeInputs,
    ModelLoaded,
    PrepareInputs,
    PreparePrompt,
    Purge,
    UseThreads,
)
from inference.engine.answers.texts import AnswerTexts
from inference.engine.encoder.hidden_states import HiddenStates
from inference.engine.encoder.inputs import InputReader
from inference.engine.encoder.preparer import InputPreparer
from inference.engine.loading.byte_marks import without_marks
from inference.engine.loading.text_model import TextModel, load_text_model, warm_up
from inference.engine.speculation.choice import speculation_for
from inference.engine.speculation.draft_model import DraftModel, load_draft
from inference.engine.worker.loop import EngineConfig, EngineLoop, StopHit
from inference.engine.worker.prompts import PromptPreparer

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import LoadModel
    from inference.engine.answers.sender import Sender

logger = logging.getLogger(__name__)


class TextEngine:
    """Prepares prompts in a pool and decodes them together, each thread its part."""

    def __init__(
        self,
        text: TextModel,
        draft: DraftModel | None,
        command: LoadModel,
        sender: Sender,
    ) -> None:
        max_rows = command.max_rows if text.is_batchable else 1
        encoder = None
        self.loaded = _described(text, draft, max_rows)
        if command.options.embeddings:
            encoder = None if text.vision else HiddenStates.of(text.model)
            self.loaded = _with_embeddings(self.loaded, encoder)
        self._sender = sender
        self._preparer = PromptPreparer(text, sender)
        self._inputs = None if encoder is None else _input_preparer(text, sender)
        self._loop = EngineLoop(
            text,
            sender,
            self._preparer,
            AnswerTexts(text.tokenizer, text.formats, text.words),
            EngineConfig(
                max_rows,
                speculation_for(text, draft),
                command.prefix_bytes,
                encoder,
            ),
        )

    def post(self, command: Any) -> None:
        """Take a frame of the web process, or word of the sender; never waits."""
        match command:
            case PreparePrompt():
                self._preparer.submit(command)
            case DropPrompt():
                self._preparer.drop(command.prompt_id)
                if self._inputs is not None:
                    self._inputs.drop(command.prompt_id)
            case PrepareInputs() if self._inputs is not None:
                self._inputs.submit(command)
            case EncodeInputs() if self._inputs is not None:
                self._loop.post(self._inputs.job_for(command) or command)
            case Decode() | CancelSequence() | StopHit() | Purge() | UseThreads():
                self._loop.post(command)
            case _:
                logger.warning("Ignored a %s", type(command).__name__)

    def run(self) -> None:
        """Serve on this thread, which is the only one that touches MLX."""
        self._loop.run()


def open_engine(
    command: LoadModel, sender: Sender, on_progress: Callable[[int, int], None]
) -> TextEngine:
    """Load a model, and the draft that its options name."""
    load: Callable[..., TextModel] = load_text_model
    if command.kind == "vlm":
        # Only vision models need mlx-vlm.
        from inference.engine.loading.vision_model import load_vision_model

        load = load_vision_model
    with without_marks(Path(command.path)) as folder:
        text = load(folder, command.options, on_progress=on_progress)
    warm_up(text)
    path = command.options.draft_path
    draft = load_draft(Path(path), text, on_progress=on_progress) if path else None
    return TextEngine(text, draft, command, sender)


def _input_preparer(text: TextModel, sender: Sender) -> InputPreparer:
    reader = InputReader(
        text.tokenizer,
        context_length=text.context_length,
        vocabulary=text.vocabulary,
    )
    return InputPreparer(reader, sender)


def _with_embeddings(loaded: ModelLoaded, encoder: HiddenStates | None) -> ModelLoaded:
    """Return the description of a model that was asked to make embeddings, too."""
    if encoder is None:
        note = "embeddings: as it is served, it gives no hidden states"
        return msgspec.structs.replace(loaded, notes=(*loaded.notes, note))
    return msgspec.structs.replace(
        loaded,
        capabilities=(*loaded.capabilities, "embeddings"),
        encoder=EncoderTraits(encoder.width),
    )


def _described(text: TextModel, draft: DraftModel | None, max_rows: int) -> ModelLoaded:
    cost = text.kv_cost
    return ModelLoaded(
        load_s=0.0,
        context_length=text.context_length,
        weight_bytes=text.weight_bytes + (draft.weight_bytes if draft else 0),
        max_rows=max_rows,
        vocabulary=text.vocabulary,
        defaults=text.defaults,
        kv_bytes_per_token=cost.bytes_per_token,
        kv_bytes_per_row=cost.bytes_per_row,
        kv_window=cost.window,
        capabilities=text.capabilities,
        dialect=text.formats.dialect_name,
        notes=(*text.notes, *(draft.notes if draft else ())),
    )
