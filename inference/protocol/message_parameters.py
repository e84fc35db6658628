"""What a request in Anthropic's messages format may carry.

The only place where its grammar stands, with `message_blocks`, `message_turns` and
`message_tools`. Names that are not here are ignored and listed, as `context_management`, `container`,
`mcp_servers` and what betas bring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.core.requests import Grammar, GrammarKind
from inference.protocol.declared import Bound, Reads, Said, Standing
from inference.protocol.message_tools import (
    MessageToolChoice,
    MessageTools,
    SentChoice,
    SentTools,
)
from inference.protocol.message_turns import ReadConversation, System, Turns
from inference.protocol.structure import schema_text

if TYPE_CHECKING:
    from inference.core.limits import Limits

Effort = Literal["low", "medium", "high", "xhigh", "max"]
# The last is Claude Code's, which asks again without where it is refused.
_Display = Literal["summarized", "omitted", "updates"]


class ThinkingBody(Struct, tag_field="type", kw_only=True):
    """Whether the thinking is shown; where it is, all of it is."""

    display: _Display | None = None


class EnabledThinkingBody(ThinkingBody, tag="enabled", kw_only=True):
    """It thinks, up to so many tokens."""

    budget_tokens: Annotated[int, Bound(ge=1, le="max_tokens")]


class AdaptiveThinkingBody(ThinkingBody, tag="adaptive", kw_only=True):
    """It thinks as much as it likes."""


class DisabledThinkingBody(ThinkingBody, tag="disabled", kw_only=True):
    """It does not think."""


class SchemaOutputBody(Struct):
    """The answer fits a JSON schema."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfigBody(Struct):
    """How much it thinks, and what the answer looks like."""

    effort: Effort | None = None
    format: SchemaOutputBody | None = None


class SentOutput(Struct, frozen=True):
    """What was read of `output_config`."""

    effort: Effort | None = None
    grammar: Grammar | None = None


def _to_output(sent: OutputConfigBody, path: str, limits: Limits) -> SentOutput:
    if sent.format is None:
        return SentOutput(sent.effort)
    path = f"{path}.format.schema"
    text = schema_text(sent.format.schema, path=path, limit=limits.grammar_chars)
    return SentOutput(sent.effort, Grammar(GrammarKind.JSON_SCHEMA, text, path))


class UserBody(Struct):
    """Who asks; other names are ignored and listed."""

    user_id: Annotated[str | None, Bound(max_length=512)] = None


class CountRequestBody(Struct, kw_only=True):
    """What a prompt is made of; other names are ignored and listed."""

    model: Annotated[
        str,
        Bound(min_length=1, max_length="model_name_chars"),
        Said(
            "Which model answers. A name `claude-...` that no model has means the one "
            "of `ANTHROPIC_MODEL`.",
            absent="a 400",
            refuses="a model that is not served: 404",
        ),
    ]
    messages: Turns
    system: System = ReadConversation()
    tools: MessageTools = SentTools()
    tool_choice: MessageToolChoice = SentChoice()
    thinking: Annotated[
        EnabledThinkingBody | AdaptiveThinkingBody | DisabledThinkingBody | None,
        Said(
            "Whether it thinks, and with `budget_tokens` for how long at most. "
            "`display: omitted` keeps the thinking within its signature.",
            absent="the model's",
            takes='`{{"type": "enabled", "budget_tokens": ...}}`, `{{"type": '
            '"adaptive"}}` or `{{"type": "disabled"}}`, with `display`',
        ),
    ] = None
    output_config: Annotated[
        SentOutput,
        Reads(OutputConfigBody, _to_output),
        Said(
            "How much it thinks (`high` where thinking is asked for without it), and a "
            "JSON schema that the answer fits. With tools the answer is a call, or fits.",
            absent="text",
            takes="object with `effort` (`low`, `medium`, `high`, `xhigh`, `max`) and "
            '`format` (`{{"type": "json_schema", "schema": {{...}}}}`)',
            refuses="a schema that cannot be enforced",
        ),
    ] = SentOutput()
    cache_control: Annotated[
        dict[str, Any] | None,
        Said(
            "What can be kept is kept without a word, here and at every block.",
            takes="object",
            standing=Standing.NO_EFFECT,
        ),
    ] = None


class MessageRequestBody(CountRequestBody, kw_only=True):
    """Everything a request for a message may carry; other names are listed."""

    max_tokens: Annotated[
        int,
        Bound(ge=1, le="max_tokens"),
        Said(
            "Most tokens of the answer, its thinking among them, cut to what the "
            "context leaves.",
            absent="a 400",
        ),
    ]
    stream: Annotated[bool, Said("Answer as server-sent events.", absent="`false`")] = (
        False
    )
    temperature: Annotated[
        float | None,
        Bound(ge=0, le=1),
        Said("0: always the likeliest.", absent="the model's"),
    ] = None
    top_p: Annotated[
        float | None,
        Bound(gt=0, le=1),
        Said(
            "Sample among the likeliest tokens that reach this share. 1: off.",
            absent="the model's",
        ),
    ] = None
    top_k: Annotated[
        int | None,
        Bound(ge=0, le="top_k"),
        Said("Sample among so many likeliest tokens. 0: off.", absent="the model's"),
    ] = None
    stop_sequences: Annotated[
        tuple[Annotated[str, Bound(min_length=1, max_length="stop_chars")], ...],
        Bound(max_length="stops"),
        Said(
            "Texts that end the answer and are not shown; which one did is told.",
            takes="array of up to {0.stops} strings of 1 to {0.stop_chars} characters",
        ),
    ] = ()
    metadata: Annotated[
        UserBody | None,
        Said(
            "`user_id` is kept in the record, as the user.",
            takes="object with `user_id`, up to 512 characters",
            standing=Standing.NO_EFFECT,
        ),
    ] = None
    service_tier: Annotated[
        Literal["auto", "standard_only"] | None,
        Said("There is one tier.", standing=Standing.NO_EFFECT),
    ] = None
