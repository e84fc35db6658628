"""How far each spool file has been read."""

from __future__ import annotations

from django.db import models

from metrics.models.upserts import Upsert


class SpoolPosition(models.Model):
    """How far a spool file is in the database; moves in the rows' transaction."""

    file = models.CharField(max_length=255, unique=True)
    offset = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.file} to {self.offset}"

    @classmethod
    def of(cls, file: str) -> int:
        """Return the offset up to which `file` is in the database."""
        found = cls.objects.filter(file=file).values_list("offset", flat=True)
        return found.first() or 0

    @classmethod
    def advance(cls, file: str, offset: int) -> bool:
        """Note that `file` is in the database up to `offset`; `False` if it was."""
        return _POSITIONS.write([SpoolPosition(file=file, offset=offset)]) > 0


# Never backwards.
_POSITIONS = Upsert(
    SpoolPosition, unique=["file"], over=["offset"], only_if_greater="offset"
)
