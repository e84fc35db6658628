"""What a model's entry says about its template and tags, checked as it is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.core.limits import KIB
from inference.dialects.dialect import ThinkingTags

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.models import ModelOptions

TEMPLATE_CHARS_MOST = 256 * KIB
PROMPT_CHARS_MOST = 256 * KIB
TAG_CHARS_MOST = 64


class OverrideError(ValueError):
    """The model cannot be served the way its entry says; names the field."""


def tokenizer_settings(
    options: ModelOptions, path: Path | None = None
) -> dict[str, Any]:
    """Return what mlx-lm is to load the tokenizer with, as `tokenizer_config`.

    A template given here replaces the model's own before mlx-lm reads off it how
    the model calls tools. Where the model in `path` has one only beside its
    processor, that is its template.

    Raises:
        OverrideError: the template is too long, or its file cannot be read.
    """
    template = options.chat_template
    if not template:
        own = None if path is None else _processors_template(path)
        return {"chat_template": own} if own else {}
    _check_length("chat_template", template, TEMPLATE_CHARS_MOST)
    # mlx-lm's own renderer, which some models name, would go before a template.
    return {"chat_template": template, "chat_template_type": None}


def _processors_template(path: Path) -> Any:
    """Return the template, or templates by name, that only a processor would read."""
    file = path / "chat_template.json"
    settings = path / "tokenizer_config.json"
    if not file.is_file() or (path / "chat_template.jinja").exists():
        return None
    try:
        if settings.is_file() and json.loads(settings.read_text("utf-8")).get(
            "chat_template"
        ):
            return None
        kept = json.loads(file.read_text("utf-8")).get("chat_template")
    except (AttributeError, ValueError) as error:
        raise OverrideError(f"{file.name} cannot be read: {error}") from error
    if isinstance(kept, list):
        kept = {one["name"]: one["template"] for one in kept}
    return kept


def system_prompt_of(options: ModelOptions) -> str:
    """Return the system prompt for conversations without one; empty: none.

    Raises:
        OverrideError: it is too long.
    """
    _check_length("system_prompt", options.system_prompt, PROMPT_CHARS_MOST)
    return options.system_prompt


def configured_tags(options: ModelOptions) -> ThinkingTags | None:
    """Return the thinking tags that are configured, if any.

    Raises:
        OverrideError: one is missing, too long, or has blanks around it.
    """
    start, end = options.think_start, options.think_end
    if not (start or end):
        return None
    if not (start and end):
        raise OverrideError("think_start and think_end must be set together.")
    for name, tag in (("think_start", start), ("think_end", end)):
        _check_length(name, tag, TAG_CHARS_MOST)
        if tag.strip() != tag:
            raise OverrideError(f"{name} must not begin or end with blanks.")
    return ThinkingTags(start=start, end=end)


def _check_length(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise OverrideError(
            f"{name} is {len(text):,} characters long; at most {most:,} are taken."
        )
