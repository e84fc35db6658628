"""From a folder and what is said about its key to a source that can be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import InvalidRequestError
from inference.core.models import ModelOptions, ModelSource
from inference.known_models.settings import Known, first_said
from inference.library.configs import ADAPTER, served_kind
from inference.library.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.known_models.sources import Sources
    from inference.library.scan import LocalModel


class Composer:
    """Puts base, adapter and draft together; refuses what cannot be loaded."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def source(
        self, key: str, model: LocalModel, said: Sequence[Known], origin: str
    ) -> ModelSource:
        """Return the model to serve under `key`.

        `said` is what is known of the key and of the name it was asked by; the
        first that says something counts.

        Raises:
            InvalidRequestError: a part of it is not here or cannot be loaded.
        """
        options = first_said(*(known.options for known in said))
        try:
            base, adapter = self._base_and_adapter(model, options)
            kind = served_kind(base.kind, options.kind)
            draft = self._draft(options)
        except LibraryError as error:
            raise refusal(key, str(error)) from None
        trusted = {text for known in said for text in known.trusted}
        is_trusted = any(self._sources.means(text, model) for text in trusted)
        if base.foreign_code and not is_trusted:
            raise _code_refusal(key, base)
        parts = [part for part in (base, adapter, draft) if part is not None]
        return ModelSource(
            key=key,
            path=base.path,
            kind=kind,
            options=msgspec.structs.replace(
                options,
                adapter_path=adapter.path if adapter is not None else "",
                draft_path=draft.path if draft is not None else "",
                trust_code=is_trusted,
            ),
            estimated_bytes=sum(part.memory_bytes for part in parts),
            origin=origin,
        )

    def _base_and_adapter(
        self, model: LocalModel, options: ModelOptions
    ) -> tuple[LocalModel, LocalModel | None]:
        if model.problem:
            raise LibraryError(model.problem)
        if model.kind == ADAPTER:
            return self._sources.base_of(model), model
        if not options.adapter_path:
            return model, None
        try:
            return model, self._sources.adapter_at(options.adapter_path)
        except LibraryError as error:
            raise LibraryError(f"its adapter {options.adapter_path}: {error}") from None

    def _draft(self, options: ModelOptions) -> LocalModel | None:
        if not options.draft_path:
            return None
        try:
            return self._sources.draft_at(options.draft_path)
        except LibraryError as error:
            text = f"its draft model {options.draft_path}: {error}"
            raise LibraryError(text) from None


def refusal(name: str, why: str) -> InvalidRequestError:
    """Return the error for a model that is known and cannot be loaded."""
    return InvalidRequestError(
        f"The model `{name}` cannot be loaded: {why}.",
        param="model",
        code="model_not_loadable",
    )


def _code_refusal(key: str, model: LocalModel) -> InvalidRequestError:
    return InvalidRequestError(
        f"The model `{key}` brings Python code of its own ({model.foreign_code} in its "
        f"{model.foreign_code_file}), which runs only where trust_code is set for it, "
        "in the admin or the models file.",
        param="model",
        code="foreign_code",
    )
