"""Cards of models that are not loaded, by what their files and settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.core.catalog import ModelCard
from inference.core.models import ENCODER, TEXT, VISION
from inference.known_models.settings import Known
from inference.library.configs import ADAPTER, served_kind
from inference.library.errors import LibraryError

if TYPE_CHECKING:
    from inference.known_models.sources import Sources
    from inference.library.scan import LocalModel

UNTRUSTED = (
    "it brings Python code of its own ({} in its {}), and trust_code is not set for it"
)


def known_card(known: Known, sources: Sources) -> tuple[ModelCard, str]:
    """Return the card of a key, and the folder that makes it what it is.

    That is the adapter's where it has one, and empty where nothing was found.
    """
    options = known.options
    try:
        model = sources.resolve(known.source, anywhere=True)
        problem = "" if model is not None else f"{known.source} is not on this machine"
    except LibraryError as error:
        model, problem = None, str(error)
    if model is None:
        return _card(known, error=problem), options.adapter_path
    is_trusted = any(sources.means(text, model) for text in known.trusted)
    card = _model_card(known, model, sources, is_trusted=is_trusted)
    return card, options.adapter_path or model.path


def library_card(model: LocalModel, sources: Sources) -> ModelCard:
    """Return the card of a model that nothing is said about."""
    known = Known(key=model.name, source=model.name)
    return _model_card(known, model, sources, is_trusted=False)


def _model_card(
    known: Known, model: LocalModel, sources: Sources, *, is_trusted: bool
) -> ModelCard:
    problem, base = model.problem, model
    if model.kind == ADAPTER and not problem:
        try:
            base = sources.base_of(model)
        except LibraryError as error:
            problem = str(error)
    kind = TEXT
    if not problem:
        try:
            kind = served_kind(base.kind, known.options.kind)
        except LibraryError as error:
            problem = str(error)
    if not problem and base.foreign_code and not is_trusted:
        problem = UNTRUSTED.format(base.foreign_code, base.foreign_code_file)
    limits = (base.context_length, known.options.context_limit)
    said = [limit for limit in limits if limit]
    return _card(
        known,
        error=problem,
        size_bytes=(base.size_bytes + (model.size_bytes if base is not model else 0)),
        context_length=min(said, default=None),
        kind=kind,
        capabilities=_capabilities(base, kind, known),
    )


def _capabilities(base: LocalModel, kind: str, known: Known) -> tuple[str, ...]:
    """Return what a model can do as it is served."""
    found = [c for c in base.capabilities if kind == VISION or c != "vision"]
    if known.options.embeddings and kind != ENCODER:
        found.append("embeddings")
    return tuple(found)


def _card(
    known: Known,
    *,
    error: str,
    size_bytes: int = 0,
    context_length: int | None = None,
    kind: str = TEXT,
    capabilities: tuple[str, ...] = (),
) -> ModelCard:
    options = known.options
    return ModelCard(
        key=known.key,
        source=known.source,
        kind=kind,
        context_length=context_length,
        size_bytes=size_bytes or None,
        capabilities=capabilities,
        error=error,
        defaults=options.sampling,
        pinned=options.pin or False,
        aliases=options.aliases,
        ttl_s=options.ttl_s or None,
    )
