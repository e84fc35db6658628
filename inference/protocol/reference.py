"""The reference page of all parameters: owns its Markdown.

Everything it says of a parameter stands in its declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from msgspec import Meta, Struct

from inference.core.limits import DEFAULT_LIMITS
from inference.protocol.body import parameters_of
from inference.protocol.completion_parameters import CompletionRequestBody
from inference.protocol.declared import (
    Ignored,
    Lax,
    Refused,
    Said,
    hints,
    is_array,
    is_struct,
    said_of,
    unwrapped,
)
from inference.protocol.encoder_parameters import (
    EmbeddingsRequestBody,
    RerankRequestBody,
)
from inference.protocol.message_parameters import MessageRequestBody
from inference.protocol.parameters import ChatRequestBody
from inference.protocol.response_parameters import ResponseRequestBody
from inference.protocol.token_parameters import TokenizeRequestBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_INTRODUCTION = """\
# Parameters of requests

Made from the bodies declared in `inference/protocol/`: change those, then run
`python manage.py api_reference > docs/parameters.md`.

- Another JSON type than the one named here, but for those [taken anyway](#odd-forms-taken-anyway), or a value out of range, is a 400 that names the parameter. `null` is the same as leaving it out.
- **honoured**: it does what it says, or the request is a 400 that names it.
- **no effect**: it is checked and recorded; the answer is the same without it.
- **ignored**: it has no meaning here; whatever is sent, the answer is the same. It is listed by name, as names that are not here are.
- **refused**: a 400 with code `unsupported_parameter`, but for the values named here, which say what holds anyway.
- Names that are not here are ignored and listed, and so are those of standing "ignored": in the header `x-ignored-params`, over `/ws/chat` as `ignored_params` in the last message, and in the request's row. With `STRICT_PARAMS=1` they are a 400 with code `unknown_parameter`. What means nothing to the model is listed there too, and never a 400: `reasoning_effort` where it does not think, and arguments that its template does not read. A stream whose headers went out before the prompt was prepared has it only in the row.
- "The model's" default: that of its entry in the admin, then of its `generation_config.json`.
"""
_COMPLETIONS = """\
## `/v1/completions`

Goes on from bare texts. It takes what a chat request takes for sampling, for the end of the answer and for its form, and:
"""
_COERCIONS = """\
## Odd forms taken anyway

What known clients send and can mean one thing only; any other odd form is a 400. The row keeps what was sent.
"""
_MESSAGES = """\
## `/v1/messages`

Anthropic's format. `/v1/messages/count_tokens` takes `model`, `messages`, `system`, `tools`, `tool_choice`, `thinking`, `output_config` and `cache_control`, loads the model where it has to, and answers nothing but the length of the prompt. Names that are not here, such as `context_management`, `container`, `mcp_servers` and what betas bring, are ignored and listed.
"""
_EMBEDDINGS = """\
## `/v1/embeddings`

See [embeddings.md](embeddings.md).
"""
_RERANK = """\
## `/v1/rerank`

Cohere's and Jina's format, also at `/v2/rerank` and `/rerank`. Names that are not here, such as `max_tokens_per_doc` and `rank_fields`, are ignored and listed.
"""
_TOKENS = """\
## `/tokenize`

vLLM's address and shape: `count`, `max_model_len`, `tokens`, `token_strs` of a text or of a conversation. `/detokenize` takes `model` and `tokens` and answers with `prompt`, their text. `/v1/chat/completions/render` takes a chat request and answers with `prompt`, the text that the model reads, and its tokens. The model's worker computes all three; each leaves a row. What is longer than the model's context is a 400.
"""
_RESPONSES = """\
## `/v1/responses`

OpenAI's newer format, as [Open Responses](responses.md) has it. Names that are not here are ignored and listed.
"""
_OPENAI = """\
## OpenAI's createChatCompletion, each with the test that shows it
"""


def reference_page(
    openai_names: Iterable[str], tests: Mapping[str, Iterable[str]]
) -> str:
    """Return the page; `tests` names for each of OpenAI's fields what shows it."""
    fields = parameters_of(ChatRequestBody, DEFAULT_LIMITS)
    theirs = _table(
        ("parameter", "standing", "test"),
        (
            (
                f"`{name}`",
                fields[name].said.standing.value,
                "<br>".join(f"`{test}`" for test in tests.get(name, ())),
            )
            for name in openai_names
        ),
    )
    odd = _table(
        ("field", "what becomes of it"),
        (row for name, each in fields.items() for row in _coercions(name, each.kind)),
    )
    return "\n".join(
        (
            _INTRODUCTION,
            _parameters(ChatRequestBody),
            _COERCIONS,
            odd,
            _COMPLETIONS,
            _completions(),
            _MESSAGES,
            _parameters(MessageRequestBody),
            _EMBEDDINGS,
            _parameters(EmbeddingsRequestBody),
            _RERANK,
            _parameters(RerankRequestBody),
            _TOKENS,
            _parameters(TokenizeRequestBody),
            _RESPONSES,
            _parameters(ResponseRequestBody),
            _OPENAI,
            theirs,
        )
    )


def _parameters(body: type[Struct]) -> str:
    """Return the table of all that a body takes."""
    return _table(
        ("parameter", "takes", "without it", "standing", "what it does", "refuses"),
        (
            row
            for name, field in parameters_of(body, DEFAULT_LIMITS).items()
            for row in _rows(name, field.kind)
        ),
    )


def _coercions(path: str, kind: Any) -> Iterator[tuple[str, str]]:
    """Yield each field that takes odd forms, however deep, each once."""
    found: dict[tuple[str, str], None] = {}
    _gather_coercions(path, kind, found)
    yield from found


def _gather_coercions(path: str, kind: Any, found: dict[tuple[str, str], None]) -> None:
    options, marks = unwrapped(kind)
    says = [mark.says for mark in marks if isinstance(mark, Lax) and mark.says]
    found |= {(f"`{path}`", text): None for text in says}
    for each in options:
        if is_struct(each):
            tag = each.__struct_config__.tag
            where = f"{path}({tag})" if tag else path
            for name, inner in hints(each).items():
                _gather_coercions(f"{where}.{name}", inner, found)
        elif is_array(each):
            _gather_coercions(f"{path}[]", get_args(each)[0], found)


def _completions() -> str:
    """Return the table of what a completion takes beside, or in another way."""
    chat = parameters_of(ChatRequestBody, DEFAULT_LIMITS)
    own = parameters_of(CompletionRequestBody, DEFAULT_LIMITS)
    return _table(
        ("parameter", "takes", "without it", "standing", "what it does", "refuses"),
        (
            row
            for name, field in own.items()
            if name not in chat or field.said != chat[name].said
            for row in _rows(name, field.kind)
        ),
    )


def _rows(name: str, kind: Any) -> Iterator[tuple[str, ...]]:
    options, marks = unwrapped(kind)
    for said in said_of(kind):
        takes = said.takes.format(DEFAULT_LIMITS) or _takes(said, options[0], marks)
        standing = said.standing.value
        yield f"`{name}`", takes, said.absent, standing, said.text, said.refuses
    if is_struct(options[0]):
        for inner, declared in hints(options[0]).items():
            yield from _rows(f"{name}.{inner}", declared)


def _takes(said: Said, kind: Any, marks: Iterable[Any]) -> str:
    """Say which values a parameter takes, by its type and its bounds."""
    if isinstance(said, Ignored):
        return "anything"
    if isinstance(said, Refused):
        passing = ", ".join(f"`{value}`" for value in said.passing)
        return f"only {passing}" if passing else "nothing but `null`"
    if get_origin(kind) is Literal:
        return ", ".join(f'`"{choice}"`' for choice in get_args(kind))
    bounds = next((mark for mark in marks if isinstance(mark, Meta)), Meta())
    if kind in (int, float):
        noun = "integer" if kind is int else "decimal"
        least = f"{bounds.ge:,}" if bounds.gt is None else f"above {bounds.gt:,}"
        return f"{noun}, {least} to {bounds.le:,}".removesuffix(".0")
    if kind is str:
        return f"string, {bounds.min_length or 0} to {bounds.max_length:,} characters"
    return "boolean" if kind is bool else "object"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_escaped, cells))} |\n" for cells in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
