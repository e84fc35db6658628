"""What is said about a key: by staff in its entry, and by hand in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.core.exceptions import ValidationError

from inference.core.errors import InvalidRequestError
from inference.core.models import ModelOptions
from inference.library.models_file import ModelsFileError, read_models_file
from inference.models import OPTION_FIELDS, SAMPLING_FIELDS, ModelEntry, names_in

if TYPE_CHECKING:
    from pathlib import Path

    from inference.library.models_file import FileEntry, ModelsFile


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One key, where its model lies, and how it is served.

    Trust in a model's code is bound to what it was said about: `trusted` are the
    sources whose code may run, and `options` never say it.
    """

    key: str
    source: str
    options: ModelOptions = ModelOptions()
    trusted: tuple[str, ...] = ()


class Settings:
    """Reads entries and file; the entry's word counts, field by field."""

    def __init__(self, file: ModelsFile) -> None:
        self._file = file

    def of(self, key: str) -> Known | None:
        """Return what is known under `key`; `None`: nothing."""
        entry = ModelEntry.objects.filter(key=key).first()
        return _known(key, entry, self._file.entries().get(key))

    def all(self) -> list[Known]:
        """Return what is known, the entries by key, then the rest of the file."""
        entries = {entry.key: entry for entry in ModelEntry.objects.all()}
        in_file = self._file.entries()
        keys = dict.fromkeys((*entries, *in_file))
        found = (_known(key, entries.get(key), in_file.get(key)) for key in keys)
        return [known for known in found if known is not None]

    def by_alias(self, name: str) -> Known | None:
        """Return the model that has `name` as an alias; `None`: none has.

        Raises:
            InvalidRequestError: several have.
        """
        found = [known for known in self.all() if name in known.options.aliases]
        if len(found) > 1:
            owners = " and ".join(f"`{known.key}`" for known in found)
            raise InvalidRequestError(
                f"The name `{name}` is an alias of {owners}: use their keys, or take "
                "the alias from all but one of them.",
                param="model",
                code="ambiguous_model",
            )
        return found[0] if found else None

    def owner_of(self, name: str, *, but: str) -> str:
        """Return in words which model other than `but` answers to `name`; or nothing."""
        for known in self.all():
            if known.key == but:
                continue
            if known.key == name:
                return f"the key of {name}"
            if name in known.options.aliases:
                return f"an alias of {known.key}"
        return ""

    def is_in_file(self, key: str) -> bool:
        """Whether the file has a table for `key`."""
        return key in self._file.entries()


def _known(key: str, entry: ModelEntry | None, said: FileEntry | None) -> Known | None:
    layers = []
    if entry is not None:
        layers.append((entry.source, entry.to_options()))
    if said is not None:
        layers.append((said.source or key, file_options(said)))
    if not layers:
        return None
    # The entry of a model that the file places has no source of its own.
    source = next((source for source, _ in layers if source), key)
    return Known(
        key=key,
        source=source,
        options=first_said(*(options for _, options in layers)),
        trusted=tuple(own or source for own, options in layers if options.trust_code),
    )


def first_said(*layers: ModelOptions) -> ModelOptions:
    """Return for each option what the first layer says that says anything.

    Sampling is taken value by value; trust in code is left out.
    """
    chosen: dict[str, Any] = {"sampling": {}}
    for layer in reversed(layers):
        said = msgspec.structs.asdict(layer)
        chosen["sampling"] = chosen["sampling"] | said.pop("sampling")
        chosen |= {name: value for name, value in said.items() if not _empty(value)}
    return msgspec.structs.replace(ModelOptions(**chosen), trust_code=False)


def _empty(value: Any) -> bool:
    return value is None or value in ("", ())


def _sampling(said: FileEntry) -> dict[str, Any]:
    values = {name: getattr(said.sampling, name) for name in SAMPLING_FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def file_options(said: FileEntry) -> ModelOptions:
    """Return the file's words about a model as options."""
    options = {name: getattr(said, name) for name in OPTION_FIELDS}
    return ModelOptions(sampling=_sampling(said), **options)


def file_problem(path: Path) -> str:
    """Return why the file of models is not used as it is now; empty: it is."""
    try:
        read_models_file(path, check=problem_with)
    except ModelsFileError as error:
        return str(error)
    return ""


def problem_with(key: str, said: FileEntry) -> str:
    """Return what is out of bounds in the file's words about a key; or nothing.

    The bounds are those of the admin's form.
    """
    values = {name: getattr(said, name) for name in OPTION_FIELDS}
    values["aliases"] = ", ".join(said.aliases)
    if names_in(values["aliases"]) != said.aliases:
        return "aliases: expected names without commas, each once"
    entry = ModelEntry(key=key, source=said.source or key, **values, **_sampling(said))
    try:
        entry.clean_fields()
        entry.clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        where = f"sampling.{field}" if field in SAMPLING_FIELDS else field
        return f"{where}: {messages[0]}"
    return ""
