"""Imports a GGUF file into a folder of models: its name, its room, its place there."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.library.convert import (
    ConversionError,
    Prospect,
    convert_gguf,
    look_into,
    work_folder,
)
from inference.library.words import size_in_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.library.hub_reports import DownloadProgress

NAME_LENGTH = 96
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LENGTH - 1}}}")
# The files beside the weights; the largest tokenizers take 40 MB.
ROOM_FOR_FILES_BYTES = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUFImport:
    """One file to be imported; `may_replace` a model of the same name."""

    source: Path
    models_dir: Path
    dtype: str
    name: str = ""
    may_replace: bool = False

    def prepare(self) -> tuple[Path, Prospect]:
        """Return the folder to be, and what will be in it.

        Makes no more than the folder that all models lie in.

        Raises:
            ConversionError: the file is refused, its name is taken or makes no
                folder, or there is no room.
        """
        if self.name and not NAME.fullmatch(self.name):
            raise ConversionError(
                f"{self.name!r} is no name for a model: letters, digits, dots, dashes "
                f"and underscores, {NAME_LENGTH} at most, a letter or digit first"
            )
        if not self.source.is_file():
            raise ConversionError(f"there is no file {self.source}")
        prospect = look_into(self.source, dtype=self.dtype)
        target = self.models_dir / self._folder_name(prospect)
        self._refuse_taken(target)
        self._refuse_without_room(prospect.size_bytes + ROOM_FOR_FILES_BYTES)
        return target, prospect

    def run(
        self,
        target: Path,
        *,
        on_progress: Callable[[DownloadProgress], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        """Convert into `target`, which is there at the end, whole, or as it was.

        Raises:
            ConversionError: the file is refused, or the name was taken meanwhile.
        """
        with work_folder(self.models_dir, on_wait=on_wait) as work:
            self._refuse_taken(target)
            made = work / target.name
            convert_gguf(self.source, made, dtype=self.dtype, on_progress=on_progress)
            if target.exists():
                target.rename(work / f"{target.name}.old")
            made.rename(target)

    def _folder_name(self, prospect: Prospect) -> str:
        for wish in (self.name, prospect.name, self.source.stem):
            folder = re.sub(r"[^A-Za-z0-9._-]+", "-", wish).strip("-._")[:NAME_LENGTH]
            if NAME.fullmatch(folder):
                return self.name or folder
        raise ConversionError(f"{self.source.name} needs a name: say --name NAME")

    def _refuse_taken(self, target: Path) -> None:
        if target.exists() and not self.may_replace:
            raise ConversionError(
                f"{target.name} is there already: choose another --name, or --force"
            )

    def _refuse_without_room(self, needed_bytes: int) -> None:
        self.models_dir.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self.models_dir).free
        if free_bytes < needed_bytes:
            raise ConversionError(
                f"{self.source.name} would take {size_in_words(needed_bytes)} in "
                f"{self.models_dir}; {size_in_words(free_bytes)} are free"
            )
