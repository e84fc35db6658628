"""Turns to text, by whatever renders them for a tokenizer."""

from __future__ import annotations

from typing import Any, Protocol

from inference.prompting import sandbox

# Who renders a tokenizer's own Jinja template; anything else is code of its own.
_JINJA = ("TokenizerWrapper.apply_chat_template",)
_INNER_JINJA = ("PreTrainedTokenizerBase.apply_chat_template",)


class Tokenizer(Protocol):
    """The part of a tokenizer that prompting needs."""

    has_chat_template: bool

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        """Render messages, to text or to token ids."""

    def encode(self, text: str, **options: Any) -> list[int]:
        """Turn text into token ids."""

    def decode(self, tokens: list[int]) -> str:
        """Turn token ids into text."""


def text_of(
    tokenizer: Tokenizer,
    turns: list[dict[str, Any]],
    *,
    is_open: bool = False,
    **options: Any,
) -> str:
    """Render turns, and the beginning of an answer; `is_open`: without it.

    Raises:
        TimeoutError: it takes too long; see `sandbox.rendering_within`.
        Exception: whatever the template raises, or what it does.
    """
    options["add_generation_prompt"] = not is_open
    jinja = _jinja_of(tokenizer)
    if jinja is None:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, **options)
        return text
    source = _source_of(jinja, options.get("tools"))
    return sandbox.rendered(source, {**jinja.special_tokens_map, **options}, turns)


def template_text(tokenizer: Any) -> str:
    """Return all a tokenizer's templates as one text; empty: it has none.

    A model may have several, by name: one for conversations with tools.
    """
    return "\n".join(sources_of(getattr(tokenizer, "chat_template", None)))


def sources_of(template: Any) -> list[str]:
    """Return the sources of a template, or of several by name."""
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list):
        one_each = [t.get("template") if isinstance(t, dict) else t for t in template]
        return [source for source in one_each if isinstance(source, str)]
    return [template] if isinstance(template, str) else []


def _source_of(jinja: Any, tools: Any) -> str:
    """Return the template for a conversation; a model may have one with tools only."""
    sources = jinja.chat_template
    if isinstance(sources, dict) and "default" not in sources and sources:
        return str(next(iter(sources.values())))
    return str(jinja.get_chat_template(None, tools))


def _jinja_of(tokenizer: Any) -> Any:
    """Return the Hugging Face tokenizer whose Jinja template this one renders."""
    inner = tokenizer
    if _renderer(tokenizer) in _JINJA:
        # mlx-lm renders some models in Python.
        if getattr(tokenizer, "_chat_template", None) is not None:
            return None
        inner = getattr(tokenizer, "_tokenizer", None)
    return inner if _renderer(inner) in _INNER_JINJA else None


def _renderer(tokenizer: Any) -> str:
    function = getattr(type(tokenizer), "apply_chat_template", None)
    return getattr(function, "__qualname__", "")
