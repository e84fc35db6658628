"""Rows that staff may edit: what is known about each model, and how it is served."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator
from django.db import models

from inference.core.limits import DEFAULT_LIMITS
from inference.core.models import ModelOptions, ServingOptions
from inference.dialects.registry import DIALECTS, IN_WORDS, SHIPPED
from inference.models.validators import (
    CHAT_TEMPLATE_BYTES,
    SYSTEM_PROMPT_BYTES,
    MaxBytesValidator,
    bare_name,
    between,
    names_in,
    one_line,
    readable_template,
    short_names,
)

SAMPLING_FIELDS = ("temperature", "top_p", "top_k", "min_p", "max_tokens")
OPTION_FIELDS = ServingOptions.__struct_fields__

CONTEXT_TOKENS = (16, 10_000_000)
SEATS_MAX = 1024

KEY_CHARS = 255
PATH_CHARS = 1024
ALIASES_CHARS = 4096
TAG_CHARS = 64
DIALECT_CHARS = 64

NOT_SET = "not set"


def known_dialects() -> list[tuple[str, str]]:
    """Return the dialects to choose from, by name."""
    names = sorted(DIALECTS)
    return [
        ("", "detected from its files"),
        *((name, name) for name in names),
        (SHIPPED, "by its response_template"),
        (IN_WORDS, "in words: the prompt describes the tools"),
    ]


class ModelEntryManager(models.Manager["ModelEntry"]):
    """Finds the entry of a model, making it when the model is new."""

    def entry_for(self, key: str, *, source: str) -> ModelEntry:
        """Return the entry under `key`, its source brought up to date.

        Trust in a model's code was trust in that source: another has none.
        """
        entry, is_new = self.get_or_create(key=key, defaults={"source": source})
        if not is_new and entry.source != source:
            entry.source, entry.trust_code = source, False
            entry.save(update_fields=("source", "trust_code", "updated_at"))
        return entry


class ModelEntry(models.Model):
    """One model by key. What is left empty is the model's own, or the server's."""

    class Kind(models.TextChoices):
        TEXT = "lm", "text only"
        VISION = "vlm", "text and images"
        ENCODER = "encoder", "embeddings or scores"

        __empty__ = "detected from its files"

    class ImageTokens(models.TextChoices):
        BEFORE = "before", "before the text"
        AFTER = "after", "after the text"
        NONE = "none", "none: the template places them"

        __empty__ = NOT_SET

    class KvBits(models.IntegerChoices):
        FOUR = 4, "4 bits"
        EIGHT = 8, "8 bits"

        __empty__ = "not quantized"

    key = models.CharField(
        max_length=KEY_CHARS,
        unique=True,
        validators=[
            one_line,
            bare_name,
            MaxLengthValidator(DEFAULT_LIMITS.model_key_chars),
        ],
        help_text="The name that requests use.",
    )
    source = models.CharField(
        max_length=PATH_CHARS,
        validators=[one_line, bare_name],
        help_text="A model of the library, a hub id in the local cache, or a folder.",
    )
    kind = models.CharField(
        "serve as",
        max_length=8,
        choices=Kind,
        default="",
        db_default="",
        blank=True,
        help_text="The text part of a vision model alone takes less memory.",
    )

    temperature = models.FloatField(
        null=True, blank=True, validators=between(0, DEFAULT_LIMITS.temperature)
    )
    top_p = models.FloatField(
        "top-p", null=True, blank=True, validators=between(1e-6, 1)
    )
    top_k = models.PositiveIntegerField(
        "top-k",
        null=True,
        blank=True,
        validators=[MaxValueValidator(DEFAULT_LIMITS.top_k)],
    )
    min_p = models.FloatField("min-p", null=True, blank=True, validators=between(0, 1))
    max_tokens = models.PositiveIntegerField(
        "max tokens",
        null=True,
        blank=True,
        validators=between(1, DEFAULT_LIMITS.max_tokens),
    )

    chat_template = models.TextField(
        default="",
        db_default="",
        blank=True,
        validators=[MaxBytesValidator(CHAT_TEMPLATE_BYTES), readable_template],
        help_text="Jinja, in place of the model's own template.",
    )
    system_prompt = models.TextField(
        default="",
        db_default="",
        blank=True,
        validators=[MaxBytesValidator(SYSTEM_PROMPT_BYTES)],
        help_text="For conversations without a system message.",
    )
    think_start = models.CharField(
        "thinking begins with",
        max_length=TAG_CHARS,
        default="",
        db_default="",
        blank=True,
        help_text="Such as &lt;think&gt;. Only needed where none is detected.",
    )
    think_end = models.CharField(
        "thinking ends with",
        max_length=TAG_CHARS,
        default="",
        db_default="",
        blank=True,
    )
    dialect = models.CharField(
        "tool call format",
        max_length=DIALECT_CHARS,
        choices=known_dialects,
        default="",
        db_default="",
        blank=True,
        help_text="Overrides what is detected from its files.",
    )
    image_tokens = models.CharField(
        "image tokens",
        max_length=8,
        choices=ImageTokens,
        default="",
        db_default="",
        blank=True,
        help_text="Where the images of a message go in its prompt.",
    )
    context_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=between(*CONTEXT_TOKENS),
        help_text="Tokens of prompt and answer together, if fewer than the model supports.",
    )
    max_concurrency = models.PositiveIntegerField(
        "seats",
        null=True,
        blank=True,
        validators=between(1, SEATS_MAX),
        help_text="Sequences generated at the same time.",
    )
    kv_bits = models.PositiveSmallIntegerField(
        "KV cache",
        null=True,
        blank=True,
        choices=KvBits,
        help_text="Fewer bits take less memory per token and are less precise.",
    )
    adapter_path = models.CharField(
        "adapter",
        max_length=PATH_CHARS,
        default="",
        db_default="",
        blank=True,
        validators=[one_line],
        help_text="A LoRA adapter of this model: its name in the library, or its folder.",
    )
    draft_path = models.CharField(
        "draft model",
        max_length=PATH_CHARS,
        default="",
        db_default="",
        blank=True,
        validators=[one_line],
        help_text="A small model with the same tokens that guesses ahead: its name in the "
        "library, or its folder.",
    )
    trust_code = models.BooleanField(
        "trust remote code",
        default=False,
        db_default=False,
        help_text="Lets Python files in the model's folder run on this machine, with "
        "all this server may do. Only for models whose code you have read.",
    )
    pin = models.BooleanField(
        "pinned",
        null=True,
        blank=True,
        choices=((None, NOT_SET), (True, "yes"), (False, "no")),
        help_text="A pinned model is never unloaded to make room, nor when idle.",
    )
    ttl_s = models.FloatField(
        "unload after",
        null=True,
        blank=True,
        validators=between(0, DEFAULT_LIMITS.ttl_s),
        help_text="Seconds without a request; 0: never. Empty: MODEL_TTL of the server.",
    )
    aliases = models.CharField(
        max_length=ALIASES_CHARS,
        default="",
        db_default="",
        blank=True,
        validators=[one_line, short_names],
        help_text="Further names that requests may use, separated by commas: gpt-4o, "
        "gpt-4o-mini.",
    )
    embeddings = models.BooleanField(
        null=True,
        blank=True,
        choices=((None, NOT_SET), (True, "yes"), (False, "no")),
        help_text="A text model makes embeddings, too: the mean of its last hidden "
        "states.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ModelEntryManager()

    class Meta:
        ordering = ("key",)
        verbose_name = "model"

    def __str__(self) -> str:
        return self.key

    def clean(self) -> None:
        """Refuse one thinking tag without the other."""
        if bool(self.think_start) != bool(self.think_end):
            lacking = "think_end" if self.think_start else "think_start"
            raise ValidationError({lacking: "The two tags are set together."})

    def sampling_defaults(self) -> dict[str, Any]:
        """Return the sampling fields that are set."""
        values = {name: getattr(self, name) for name in SAMPLING_FIELDS}
        return {name: value for name, value in values.items() if value is not None}

    def to_options(self) -> ModelOptions:
        """Return how the model is to be served, as far as it is said here."""
        said = {name: getattr(self, name) for name in OPTION_FIELDS}
        said["aliases"] = names_in(self.aliases)
        return ModelOptions(sampling=self.sampling_defaults(), **said)
