"""Rows that staff may edit: what is known about each served model."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

SAMPLING_FIELDS = ("temperature", "top_p", "top_k", "min_p", "max_tokens")


class ModelEntryManager(models.Manager["ModelEntry"]):
    """Finds the entry of a model, making it when the model is new."""

    def entry_for(self, key: str, *, source: str, kind: str) -> ModelEntry:
        """Return the entry under `key`, its source and kind brought up to date."""
        entry, _ = self.update_or_create(
            key=key, defaults={"source": source, "kind": kind}
        )
        return entry


class ModelEntry(models.Model):
    """One model by key. Empty sampling fields leave the model's own defaults."""

    class Kind(models.TextChoices):
        TEXT = "lm", "text"
        VISION = "vlm", "vision and language"

    key = models.CharField(max_length=255, unique=True)
    source = models.CharField(
        max_length=1024, help_text="Folder or hub id that the model was loaded from."
    )
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.TEXT)
    temperature = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(2)]
    )
    top_p = models.FloatField(
        "top-p",
        null=True,
        blank=True,
        validators=[MinValueValidator(1e-6), MaxValueValidator(1)],
    )
    top_k = models.PositiveIntegerField("top-k", null=True, blank=True)
    min_p = models.FloatField(
        "min-p",
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    max_tokens = models.PositiveIntegerField(
        "max tokens", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ModelEntryManager()

    class Meta:
        ordering = ("key",)
        verbose_name = "model"

    def __str__(self) -> str:
        return self.key

    def sampling_defaults(self) -> dict[str, Any]:
        """Return the sampling fields that are set."""
        values = {name: getattr(self, name) for name in SAMPLING_FIELDS}
        return {name: value for name, value in values.items() if value is not None}
