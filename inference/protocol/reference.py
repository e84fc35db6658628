"""The reference page of a chat request's parameters: owns its Markdown.

Everything it says of a parameter stands in the serializers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.limits import DEFAULT_LIMITS
from inference.protocol.body import BodySerializer
from inference.protocol.parameters import chat_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_INTRODUCTION = """\
# Parameters of a chat request

Made from the serializers in `inference/protocol/`: change those, then run
`python manage.py api_reference > docs/parameters.md`.

- Another JSON type than the one named here, or a value out of range, is a 400 that names the parameter. `null` is the same as leaving it out.
- **honoured**: it does what it says, or the request is a 400 that names it.
- **no effect**: it is checked and recorded; the answer is the same without it.
- **refused**: a 400 with code `unsupported_parameter`, but for the values named here, which say what holds anyway.
- Names that are not here are ignored and listed: in the header `x-ignored-params`, over `/ws/chat` as `ignored_params` in the last message, and in the request's row. With `STRICT_PARAMS=1` they are a 400 with code `unknown_parameter`. What means nothing to the model is listed there too, and never a 400: `reasoning_effort` where it does not think, and arguments that its template does not read. A stream whose headers went out before the prompt was prepared has it only in the row.
- "The model's" default: that of its entry in the admin, then of its `generation_config.json`.
"""
_OPENAI = """\
## OpenAI's createChatCompletion, each with the test that shows it
"""


def reference_page(
    openai_names: Iterable[str], tests: Mapping[str, Iterable[str]]
) -> str:
    """Return the page; `tests` names for each of OpenAI's fields what shows it."""
    table = chat_parameters(DEFAULT_LIMITS)
    fields: Mapping[str, Any] = table.fields
    own = _table(
        ("parameter", "takes", "without it", "standing", "what it does", "refuses"),
        _rows(table),
    )
    theirs = _table(
        ("parameter", "standing", "test"),
        (
            (
                f"`{name}`",
                fields[name].standing.value,
                "<br>".join(f"`{test}`" for test in tests.get(name, ())),
            )
            for name in openai_names
        ),
    )
    return "\n".join((_INTRODUCTION, own, _OPENAI, theirs))


def _rows(table: BodySerializer, prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, field in table.fields.items():
        yield _row(f"{prefix}{name}", field)
        if isinstance(field, BodySerializer):
            yield from _rows(field, f"{prefix}{name}.")


def _row(name: str, field: Any) -> tuple[str, ...]:
    return (
        f"`{name}`",
        field.type_and_range(),
        field.absent,
        field.standing.value,
        str(field.help_text),
        field.refuses,
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_escaped, cells))} |\n" for cells in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
