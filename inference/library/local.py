"""What one model folder is, and why it cannot be served where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from inference.core.encoders import is_scorer
from inference.core.models import ENCODER
from inference.library import configs
from inference.library.architectures import is_supported
from inference.library.encoders import is_embedder, kind_in, problem_with_encoder
from inference.library.errors import LibraryError
from inference.library.files import (
    ADAPTER_WEIGHTS,
    CONFIG,
    is_adapter,
    link_out,
    problem_with_files,
    weight_files,
)
from inference.library.machine import computes_on_cpu
from inference.library.markers import (
    TOKENIZER_CONFIG,
    Marks,
    marks_of,
    read_tokenizer_config,
)
from inference.library.places import resolved
from inference.library.sizes import check_sizes
from inference.library.weights import WeightSizes, measure_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

TEXT, VISION = "text", "vision"
EMBEDDINGS, RERANK = "embeddings", "rerank"


class LocalModel(msgspec.Struct, frozen=True, kw_only=True):
    """One folder that is meant to be a model.

    `name` is its hub id or its folder's name, `place` where it was found: "hub
    cache", "LM Studio", "data folder" or a folder. `kind` is `lm`, `vlm`, `encoder`
    or `adapter`; `base` is an adapter's model as it names it. `capabilities` are some
    of text, vision, tools, thinking, embeddings and rerank; `dialect` is how it calls tools,
    `has_unread_calls` that its template knows tools in a way nobody here reads.
    `size_bytes` is what its weights
    take on disk, `memory_bytes` an estimate of what they will take once loaded on
    this machine. `problem` says why it cannot be served, empty where it can.
    `foreign_code` is the key that names Python code to run, which is refused unless
    the model is trusted; `foreign_code_file` is where it stands.
    """

    name: str
    path: str
    place: str = ""
    kind: str = "lm"
    architecture: str = ""
    capabilities: tuple[str, ...] = ()
    dialect: str = ""
    has_unread_calls: bool = False
    context_length: int | None = None
    size_bytes: int = 0
    memory_bytes: int = 0
    quantization: str = ""
    base: str = ""
    problem: str = ""
    foreign_code: str = ""
    foreign_code_file: str = ""


def inspect(path: Path, *, name: str = "", place: str = "") -> LocalModel:
    """Return what the model in folder `path` is; what is wrong is its `problem`."""
    folder = resolved(path)
    model = LocalModel(name=name or folder.name, path=str(folder), place=place)
    try:
        if not folder.is_dir():
            return _changed(model, problem="it is no folder")
        link = link_out(folder)
        if link:  # not a byte is read through it
            return _changed(model, problem=f"{link} is a link out of its folder")
        look = _look_at_adapter if is_adapter(folder) else _look_at_model
        return look(model, folder, problem_with_files(folder))
    except OSError as error:
        return _changed(model, problem=f"it cannot be read: {error.strerror}")


def _look_at_adapter(model: LocalModel, folder: Path, problem: str) -> LocalModel:
    base, problem = _tried(lambda: configs.adapter_base(folder), "", problem)
    sizes, problem = _sizes([folder / ADAPTER_WEIGHTS], problem)
    return _changed(
        model,
        kind=configs.ADAPTER,
        base=base,
        size_bytes=sizes.stored_bytes,
        memory_bytes=sizes.loaded_bytes,
        problem=problem,
    )


def _look_at_model(model: LocalModel, folder: Path, problem: str) -> LocalModel:
    config: dict[str, Any] = {}
    tokens: dict[str, Any] = {}
    marks = Marks()
    config, problem = _tried(lambda: configs.read_config(folder), config, problem)
    tokens, problem = _tried(lambda: read_tokenizer_config(folder), tokens, problem)
    marks, problem = _tried(lambda: marks_of(folder, tokens), marks, problem)
    sizes, problem = _sizes(weight_files(folder), problem)
    if sizes.shapes:
        _, problem = _tried(lambda: check_sizes(config, sizes.shapes), None, problem)
    return _changed(
        model,
        kind=kind_in(folder, config),
        architecture=configs.architecture_of(config),
        capabilities=_capabilities(folder, config, marks) if config else (),
        dialect=marks.dialect,
        has_unread_calls=marks.names_tools and not marks.dialect,
        context_length=configs.context_length_of(config),
        quantization=configs.quantization_of(config),
        size_bytes=sizes.stored_bytes,
        memory_bytes=sizes.loaded_bytes,
        problem=problem or _problem_with_architecture(folder, config),
        **_foreign_code({CONFIG: config, TOKENIZER_CONFIG: tokens}),
    )


def _foreign_code(files: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the first key that names code of the model's own, and its file."""
    for file, content in files.items():
        key = configs.foreign_code_of(content)
        if key:
            return {"foreign_code": key, "foreign_code_file": file}
    return {}


def _problem_with_architecture(folder: Path, config: dict[str, Any]) -> str:
    if kind_in(folder, config) == ENCODER:
        return problem_with_encoder(config)
    named = configs.architecture_of(config)
    if configs.foreign_code_of(config) == configs.MODEL_FILE or is_supported(named):
        return ""
    if not named:
        return "its config.json names no model_type"
    return f"mlx-lm has no code for its model type {named[:80]!r}"


def _capabilities(
    folder: Path, config: dict[str, Any], marks: Marks
) -> tuple[str, ...]:
    if is_scorer(config):
        return (RERANK,)
    if is_embedder(folder, config):
        return (EMBEDDINGS,)
    seeing = (VISION,) if configs.kind_of(config) == "vlm" else ()
    return (TEXT, *seeing, *marks.capabilities)


def _tried(read: Callable[[], T], otherwise: T, problem: str) -> tuple[T, str]:
    """Return what can be read, and the first problem there was."""
    try:
        return read(), problem
    except LibraryError as error:
        return otherwise, problem or str(error)


def _sizes(files: Sequence[Path], problem: str) -> tuple[WeightSizes, str]:
    """Measure the weights; where that fails, count their bytes on disk."""
    files = [file for file in files if file.is_file()]
    stored = sum(file.stat().st_size for file in files)
    return _tried(
        lambda: measure_weights(files, on_cpu=computes_on_cpu()),
        WeightSizes(stored_bytes=stored),
        problem,
    )


def _changed(model: LocalModel, **values: Any) -> LocalModel:
    return msgspec.structs.replace(model, **values)
