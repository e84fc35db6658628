"""The file of models: settings by key, written by hand, read again when it changes.

    [models."qwen"]
    source = "mlx-community/Qwen3-4B-4bit"   # library name, hub id or folder
    kind = "lm"               # of a vision model, its text part only
    aliases = ["gpt-4o"]      # further names that requests may use
    pin = true
    ttl_s = 0                 # seconds without a request until it is unloaded; 0: never
    context_limit = 16384     # tokens of prompt and answer together
    max_concurrency = 8       # sequences generated at the same time
    embeddings = true         # a text model makes embeddings, too
    kv_bits = 8               # keys and values in 4 or 8 bits
    system_prompt = "Answer briefly."

    [models."qwen".sampling]  # defaults of requests that set none
    temperature = 0.6
    top_p = 0.95

    [models."qwen-poet"]      # the same weights with an adapter, as a model of its own
    source = "mlx-community/Qwen3-4B-4bit"
    adapter_path = "/models/adapters/poet"

    [models."thinker"]
    think_start = "<reason>"  # the two are set together
    think_end = "</reason>"
    chat_template = '''{% for m in messages %}...{% endfor %}'''

Without `source` the key itself is what is looked for. Every name of `FileEntry` may
be left out, and no other name is taken.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.models import ServingOptions

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("inference")

FILE_BYTES = 4 * 1024 * 1024
MODELS_MAX = 1000

_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field (`.*`)")


class ModelsFileError(ValueError):
    """The file is not what it should be; one line names file, key and field."""


class FileSampling(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Sampling where a request does not set it; `None`: the model's own."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = None


class FileEntry(ServingOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the file: where it lies, and how it is served."""

    source: str = ""
    sampling: FileSampling = FileSampling()


# Returns what is wrong with an entry, beyond names and types; "": nothing.
Check = Callable[[str, FileEntry], str]


def _accept(key: str, entry: FileEntry) -> str:
    return ""


def read_models_file(path: Path, *, check: Check = _accept) -> dict[str, FileEntry]:
    """Return the entries by key; none where there is no such file.

    Raises:
        ModelsFileError: it cannot be read, or says something it should not.
    """
    try:
        document = _document(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelsFileError(f"{path}: {error.strerror}") from None
    except RecursionError:
        raise ModelsFileError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise ModelsFileError(f"{path}: no TOML: {error}") from None
    tables = _tables_of(document, path)
    entries = {key: _entry(path, key, table, check) for key, table in tables.items()}
    _refuse_shared_names(path, entries)
    return entries


def _refuse_shared_names(path: Path, entries: dict[str, FileEntry]) -> None:
    """Refuse a name that two models would answer to."""
    owners = {key: (key, "the key") for key in entries}
    for key, entry in entries.items():
        for alias in entry.aliases:
            owner, what = owners.setdefault(alias, (key, "an alias"))
            if owner != key:
                name = msgspec.json.encode(alias).decode()
                raise ModelsFileError(
                    f"{path}: {_table(key)}: aliases: {name} is {what} of "
                    f"{_table(owner)} already"
                )


def _table(key: str) -> str:
    return f"[models.{msgspec.json.encode(key).decode()}]"


def _document(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise ValueError(f"it is longer than {FILE_BYTES} bytes")
    return tomllib.loads(content.decode("utf-8"))


def _tables_of(document: dict[str, Any], path: Path) -> dict[str, Any]:
    unknown = next((name for name in document if name != "models"), None)
    if unknown is not None:
        raise ModelsFileError(
            f'{path}: unknown name {unknown!r}; models are tables [models."key"]'
        )
    tables = document.get("models", {})
    if not isinstance(tables, dict):
        raise ModelsFileError(f"{path}: 'models' holds tables [models.\"key\"]")
    if len(tables) > MODELS_MAX:
        raise ModelsFileError(f"{path}: more than {MODELS_MAX} models")
    return tables


def _entry(path: Path, key: str, table: Any, check: Check) -> FileEntry:
    try:
        entry = msgspec.convert(table, FileEntry)
    except msgspec.ValidationError as error:
        why = _in_words(error)
    else:
        why = _not_finite(entry) or check(key, entry)
    if why:
        raise ModelsFileError(f"{path}: {_table(key)}: {why}")
    return entry


def _in_words(error: msgspec.ValidationError) -> str:
    """Return the field and what is wrong with it."""
    found = _WHERE.fullmatch(str(error))
    assert found is not None, "the pattern takes every text"
    field = found["field"] or ""
    unknown = _UNKNOWN.fullmatch(found["what"])
    if unknown is not None:
        inside = f" in {field}" if field else ""
        return f"unknown name {unknown[1]}{inside}"
    what = found["what"].replace(" | null`", "`")
    what = what[:1].lower() + what[1:]
    return f"{field}: {what}" if field else what


def _not_finite(entry: FileEntry) -> str:
    """TOML knows `inf` and `nan`, which no bound stops."""
    fields = {"ttl_s": entry.ttl_s} | {
        f"sampling.{name}": getattr(entry.sampling, name)
        for name in entry.sampling.__struct_fields__
    }
    for name, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name}: expected a number, got {value}"
    return ""


class ModelsFile:
    """Keeps what the file said last; may be asked from any thread."""

    def __init__(self, path: Path, *, check: Check = _accept) -> None:
        self._path = path
        self._check = check
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._entries: dict[str, FileEntry] = {}
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the file as it is now is not used; empty when it is."""
        self.entries()
        return self._problem

    def entries(self) -> dict[str, FileEntry]:
        """Return the entries of the file as it is, or as it last made sense."""
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()
            return self._entries

    def _read(self) -> None:
        try:
            self._entries = read_models_file(self._path, check=self._check)
            self._problem = ""
        except ModelsFileError as error:
            self._problem = str(error)
            logger.error("%s (what it said before stays in force)", error)  # noqa: TRY400 -- one line is enough

    def _stamp_now(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino
