"""A model as it is asked for: where it lies, and how it is to be served."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

# The kinds of model, as entries, files and `/v1/models` say them.
TEXT, VISION, ENCODER = "lm", "vlm", "encoder"
KINDS = (TEXT, VISION, ENCODER)


class ServingOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one model is served, beyond what its own files say.

    Every field may be left unsaid. `think_start` and `think_end` are set together;
    `context_limit` counts tokens; `dialect` names how it calls tools; `kv_bits` is 4
    or 8; `adapter_path` and `draft_path` are folders. `trust_code` lets Python code in
    the model's folder run. `ttl_s` is how long an unused model stays, 0 for ever.
    `aliases` are further names that requests may use. `embeddings`: a text model
    makes embeddings, too.
    """

    kind: str = ""
    chat_template: str = ""
    system_prompt: str = ""
    think_start: str = ""
    think_end: str = ""
    dialect: str = ""
    image_tokens: str = ""
    context_limit: int | None = None
    max_concurrency: int | None = None
    kv_bits: int | None = None
    adapter_path: str = ""
    draft_path: str = ""
    trust_code: bool = False
    pin: bool | None = None
    ttl_s: float | None = None
    aliases: tuple[str, ...] = ()
    embeddings: bool | None = None


class ModelOptions(ServingOptions, frozen=True, kw_only=True):
    """These, and `sampling`: defaults for requests that do not say."""

    sampling: dict[str, Any] = {}


class ModelSource(msgspec.Struct, frozen=True):
    """A model to serve: the name clients use and the folder it lies in.

    `estimated_bytes` is what it will hold in memory, by its files; 0: not known.
    `origin` is the hub id or path it was named by, `problem` why it must not be
    loaded.
    """

    key: str
    path: str
    kind: str = "lm"
    options: ModelOptions = ModelOptions()
    estimated_bytes: int = 0
    origin: str = ""
    problem: str = ""


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /v1/models/load` asks for; `key` and `kind` may be left empty.

    `model` is a key, a hub id, a name of the library or a folder in it. `pin` and
    `ttl_s` are `None` where they are not said.
    """

    model: str
    key: str = ""
    kind: str = ""
    pin: bool | None = None
    ttl_s: float | None = None
    stream: bool = False


class LoadStage(StrEnum):
    """What a load is doing."""

    DOWNLOADING = "downloading"
    MAKING_ROOM = "making_room"
    LOADING = "loading"


class LoadUpdate(msgspec.Struct, frozen=True):
    """How far a load is; a total of 0 bytes is not known."""

    stage: LoadStage
    done_bytes: int = 0
    total_bytes: int = 0
