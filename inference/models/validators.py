"""What staff may write into an entry: bounds, and templates that can be read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import (
    BaseValidator,
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.utils.deconstruct import deconstructible
from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension

from inference.core.limits import DEFAULT_LIMITS, KIB

if TYPE_CHECKING:
    from jinja2.parser import Parser

CHAT_TEMPLATE_BYTES = 256 * KIB
SYSTEM_PROMPT_BYTES = 64 * KIB

one_line = RegexValidator(
    r"\A[^\x00-\x1f\x7f]*\Z", "Control characters are not allowed here."
)
bare_name = RegexValidator(
    r"\A\S(?:.*\S)?\Z", "A name does not begin or end with a space."
)


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list, each once."""
    names = (name.strip() for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def short_names(text: str) -> None:
    """Refuse a name that is longer than a request may carry."""
    if any(len(name) > DEFAULT_LIMITS.model_key_chars for name in names_in(text)):
        most = DEFAULT_LIMITS.model_key_chars
        raise ValidationError(f"A name has {most} characters at most.", code="length")


def between(least: float, most: float) -> list[Any]:
    """Return the validators of a number in these bounds."""
    return [finite, MinValueValidator(least), MaxValueValidator(most)]


def finite(value: object) -> None:
    """Refuse infinities and what is no number: that passes every bound."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("Enter a number.", code="finite")


@deconstructible
class MaxBytesValidator(BaseValidator):
    """Refuses text that takes more than so many bytes of UTF-8."""

    message = "This is %(show_value)s bytes long; at most %(limit_value)s are read."
    code = "max_bytes"

    def compare(self, a: int, b: int) -> bool:
        """Return whether `a` bytes are too many."""
        return a > b

    def clean(self, x: str) -> int:
        """Return the length in bytes."""
        return len(x.encode("utf-8", "surrogatepass"))


class _GenerationTag(Extension):
    """The one tag that chat templates have beyond Jinja's own."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def readable_template(text: str) -> None:
    """Refuse a chat template that Jinja cannot read."""
    if len(text) > CHAT_TEMPLATE_BYTES:
        return  # refused for its length already, and too long to look at
    environment = Environment(  # noqa: S701 -- parsed only, nothing is rendered
        extensions=["jinja2.ext.loopcontrols", _GenerationTag]
    )
    try:
        environment.parse(text)
    except TemplateSyntaxError as error:
        why = f"Line {error.lineno}: {error.message}"
    except RecursionError:
        why = "It is nested too deeply."
    else:
        return
    raise ValidationError(f"This is no Jinja template. {why}", code="template")
