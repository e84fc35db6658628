"""A vision model on mlx-vlm: what is loaded, beyond what text models have.

Imported for vision models only: mlx-vlm takes a second or more to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx_lm.utils import load_tokenizer
from mlx_vlm.prompt_utils import SINGLE_IMAGE_ONLY_MODELS, MessageFormatter
from mlx_vlm.utils import get_model_type, load, prepare_inputs
from PIL import Image

from inference.core.models import ModelOptions
from inference.engine.hardware.device import limit_memory, settle_dtype
from inference.engine.loading.text_model import (
    ModelFilesError,
    TextModel,
    described,
    read_json,
    read_weights,
    refuse_foreign_code,
)
from inference.engine.row_caches.maker import cache_maker_for, kv_cost
from inference.engine.text.overrides import OverrideError, tokenizer_settings
from inference.engine.vision.encoding import ImageEncoder
from inference.engine.vision.families import Family, family_of, image_token_of
from inference.engine.vision.language import VisionLanguageModel
from inference.engine.vision.markers import Markers, marker_texts
from inference.engine.vision.processor import DecodedImage, ImageProcessor
from inference.engine.vision.prompts import NOWHERE, PLACEMENTS, ImagePrompts
from inference.engine.vision.style import PROBE_WORD, StyleError, style_of
from inference.engine.vision.support import VisionSupport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.engine.vision.style import ImageStyle

_FILES_WITH_CODE = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)
_TOKEN_IDS = (
    "image_token_id",
    "image_token_index",
    "video_token_id",
    "video_token_index",
    "audio_token_id",
    "vision_start_token_id",
    "vision_end_token_id",
)
# Any image will do to see whether images can be read at all.
_TRIAL_SIDE = 64


def load_vision_model(
    path: Path,
    options: ModelOptions = ModelOptions(),  # noqa: B008 -- frozen
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> TextModel:
    """Load the model in directory `path`; to be called on the MLX thread.

    `on_progress(done, total)` is told how many bytes of weights are in memory.

    Raises:
        ModelFilesError: the directory asks for code of its own, or has no images.
        OverrideError: the options cannot be followed.
        Exception: whatever mlx-vlm raises for files it cannot use.
    """
    if options.image_tokens not in PLACEMENTS:
        raise OverrideError(
            f"image_tokens is 'before', 'after' or 'none', not {options.image_tokens!r}."
        )
    config = read_json(path / "config.json")
    if not options.trust_code:
        for name in _FILES_WITH_CODE:
            refuse_foreign_code(read_json(path / name), name)
    model, processor = load(
        str(path),
        adapter_path=options.adapter_path or None,
        lazy=True,
        trust_remote_code=options.trust_code,
    )
    name = str(get_model_type(config))
    family = family_of(
        name, model, images_most=1 if name in SINGLE_IMAGE_ONLY_MODELS else 0
    )
    settle_dtype(model)
    weight_bytes = read_weights(model, on_progress)
    limit_memory(weight_bytes)
    tokenizer = _tokenizer(path, processor, options)
    language = VisionLanguageModel(model, family)
    caches = family.caches(cache_maker_for(language, kv_bits=options.kv_bits))
    known = described(language, tokenizer, config, path=path, options=options)
    vision = None
    try:
        vision = _vision_support(
            model, processor, tokenizer, family, placement=options.image_tokens
        )
    except StyleError as error:
        # It may still converse; a template of the entry's need not know images.
        known["load_notes"] += (f"images are refused: {error}",)
    return TextModel(
        **known,
        caches=caches,
        kv_cost=kv_cost(language, caches),
        weight_bytes=weight_bytes,
        vision=vision,
    )


def _tokenizer(path: Path, processor: Any, options: ModelOptions) -> Any:
    """Return mlx-lm's tokenizer of the model, with the template for images.

    The processor has one of its own, so that neither waits for the other.
    """
    inner = getattr(processor, "tokenizer", processor)
    template = getattr(processor, "chat_template", None) or inner.chat_template
    settings = {"chat_template": template} if template else {}
    settings |= tokenizer_settings(options)
    return load_tokenizer(
        path,
        {"trust_remote_code": options.trust_code, **settings},
        eos_token_ids=list(inner.stopping_criteria.eos_token_ids),
    )


def _vision_support(
    model: Any, processor: Any, tokenizer: Any, family: Family, *, placement: str
) -> VisionSupport:
    inner = getattr(processor, "tokenizer", processor)
    style = style_of(tokenizer, processor, _library_turn(family.name))
    index = getattr(model.config, "image_token_index", None)

    def process(text: str, images: list[Image.Image]) -> dict[str, Any]:
        made: dict[str, Any] = prepare_inputs(
            processor, images=images, prompts=text, image_token_index=index
        )
        return made

    images = ImageProcessor(
        process,
        family=family,
        image_token=image_token_of(model),
        bos_token=inner.bos_token_id,
        example="" if placement == NOWHERE else style.example,
    )
    encoder = ImageEncoder(model, family)
    _try_out(images, encoder, tokenizer, style, placement=placement)
    ids = (getattr(model.config, name, None) for name in _TOKEN_IDS)
    known = [token for token in ids if isinstance(token, int) and token >= 0]
    return VisionSupport(
        family=family,
        prompts=ImagePrompts(
            tokenizer,
            images,
            style=style,
            markers=Markers.of({*marker_texts(processor, inner, known), style.example}),
            placement=placement,
        ),
        encoder=encoder,
    )


def _library_turn(name: str) -> Any:
    """Return a turn with an image as mlx-vlm writes it for an architecture."""
    parts = [{"type": "image"}, {"type": "text", "text": PROBE_WORD}]
    try:
        return MessageFormatter(name).format_message(parts, "user", num_images=1)
    except ValueError:
        return None


def _try_out(
    processor: ImageProcessor,
    encoder: ImageEncoder,
    tokenizer: Any,
    style: ImageStyle,
    *,
    placement: str,
) -> None:
    """Read and encode one image, so that what fails fails at load.

    Raises:
        ModelFilesError: it cannot be done, or not in the way that prompts are counted.
    """
    picture = Image.new("RGB", (_TRIAL_SIDE, _TRIAL_SIDE), (128, 128, 128))
    pieces: list[str | int] = [PROBE_WORD]
    if placement != NOWHERE:
        pieces.insert(0, 1)
    try:
        text = style.prompt(tokenizer, pieces)
        prompt = processor.read(
            text, [DecodedImage(picture, "messages[0].content[0]", "")]
        )
        encoder.try_out(prompt)
    except Exception as error:
        raise ModelFilesError(f"Its images cannot be read: {error}") from error
