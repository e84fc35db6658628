"""What a request for a response may carry, as OpenAI and Open Responses have it.

The only place where its grammar stands, with `response_items`, `response_turns`,
`response_tools`, `response_choice` and `response_text`. Names that are not here are ignored and listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct

from inference.protocol.coercions import TOKENS, WHOLE
from inference.protocol.declared import (
    Bound,
    Ignored,
    Reads,
    Refused,
    Said,
    Standing,
)
from inference.protocol.objects import Metadata
from inference.protocol.parts import Text
from inference.protocol.response_choice import ResponseChoice, ResponseChoiceField
from inference.protocol.response_items import (
    KNOWN_ITEMS,
    ItemBody,
    MessageItemBody,
    SentItems,
)
from inference.protocol.response_text import ResponseText, TextConfig
from inference.protocol.response_tools import ResponseTools, ResponseToolsField
from inference.protocol.sampling_fields import ModelName

if TYPE_CHECKING:
    from inference.core.limits import Limits

NO_EFFECT = Standing.NO_EFFECT
LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
INCLUDED = (LOGPROBS, ENCRYPTED)

_Label = Bound(max_length=512)
_Id = Bound(min_length=1, max_length="name_chars")


class ReasoningConfigBody(Struct):
    """How much it thinks."""

    effort: (
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    ) = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Any = None


class ResponseStreamOptionsBody(Struct):
    """How to stream."""

    include_obfuscation: bool | None = None


class CacheOptionsBody(Struct):
    """What is to be kept of the prompt; it is kept anyway."""

    prewarm: bool | None = None
    mode: Any = None
    ttl: Any = None


class ConversationBody(Struct):
    """A conversation by its id."""

    id: Annotated[str, _Id]


def _to_items(
    sent: str | list[ItemBody], _path: str, _limits: Limits
) -> tuple[ItemBody, ...]:
    if isinstance(sent, str):
        return (MessageItemBody(role="user", content=sent),)
    return tuple(sent)


def _to_id(sent: str | ConversationBody, _path: str, _limits: Limits) -> str:
    return sent if isinstance(sent, str) else sent.id


class ResponseRequestBody(Struct, kw_only=True):
    """Everything a request for a response may carry; other names are listed."""

    model: ModelName = None

    # What is asked.
    input: Annotated[
        tuple[ItemBody, ...],
        KNOWN_ITEMS,
        Reads(SentItems, _to_items),
        Said(
            "What is new in the conversation. Thinking, a text and calls in a row are "
            "one turn of the assistant's. Items of other types are ignored and listed.",
            absent="a 400, unless something came before",
            takes="string, or array of up to {0.messages:,} items: `message` (text and "
            "images), `function_call`, `function_call_output`, `custom_tool_call`, "
            "`custom_tool_call_output`, `reasoning`, `item_reference`",
            refuses="files of the user's; a result without its call; calls at the end "
            "without results; a reference to what is not kept",
        ),
    ] = ()
    instructions: Annotated[
        Text | None,
        Said("A system message before all else; not kept for what follows."),
    ] = None
    previous_response_id: Annotated[
        str | None,
        _Id,
        Said(
            "Go on from this response: its conversation comes first.",
            refuses="one that is not kept: 404; beside `conversation`",
        ),
    ] = None
    conversation: Annotated[
        str | None,
        Reads(Annotated[str, _Id] | ConversationBody, _to_id),
        Said(
            "Go on with this conversation, and add to it.",
            takes='id, or `{{"id": ...}}`',
            refuses="one that is not kept: 404",
        ),
    ] = None
    store: Annotated[
        bool,
        Said(
            "Keep the answer, so that it can be gone on from and asked for again.",
            absent="`true`, where responses are kept",
        ),
    ] = True
    background: Annotated[
        bool,
        Said(
            "Reply at once, and go on while nobody listens.",
            absent="`false`",
            refuses="without `store`, or where nothing is stored",
        ),
    ] = False

    # How it is told.
    stream: Annotated[bool, Said("Answer as server-sent events.", absent="`false`")] = (
        False
    )
    stream_options: Annotated[
        ResponseStreamOptionsBody | None,
        Said("Nothing is obfuscated here.", standing=NO_EFFECT),
    ] = None
    include: Annotated[
        tuple[Annotated[str, _Label], ...],
        Bound(max_length="tools"),
        Said(
            "What else to tell; other names are ignored and listed.",
            takes="array of " + ", ".join(f"`{name}`" for name in INCLUDED),
        ),
    ] = ()
    top_logprobs: Annotated[
        int | None,
        WHOLE,
        Bound(ge=0, le=20),
        Said(
            "Tell the log probability of each token, and so many likeliest others.",
            absent=f"none, or 0 with `include` of `{LOGPROBS}`",
        ),
    ] = None

    # Tools.
    tools: ResponseToolsField = ResponseTools()
    tool_choice: ResponseChoiceField = ResponseChoice()
    parallel_tool_calls: Annotated[
        bool | None,
        Said(
            "Whether one answer may hold several calls.",
            absent="`true`; `false` where a call is forced",
        ),
    ] = None
    max_tool_calls: Annotated[
        int | None,
        WHOLE,
        Bound(ge=1, le="max_tokens"),
        Said("It counts calls of tools that the server runs.", standing=NO_EFFECT),
    ] = None

    # The answer.
    temperature: Annotated[
        float | None,
        Bound(ge=0, le="temperature"),
        Said("0: always the likeliest.", absent="the model's"),
    ] = None
    top_p: Annotated[
        float | None,
        Bound(ge=0, le=1),
        Said(
            "Sample among the likeliest tokens that reach this share. 1: off. "
            "0: always the likeliest.",
            absent="the model's",
        ),
    ] = None
    presence_penalty: Annotated[
        float,
        Bound(ge=-2, le=2),
        Said("Taken once from each token of the answer so far.", absent="0"),
    ] = 0.0
    frequency_penalty: Annotated[
        float,
        Bound(ge=-2, le=2),
        Said("Taken as often as the answer has the token.", absent="0"),
    ] = 0.0
    max_output_tokens: Annotated[
        int | None,
        TOKENS,
        Bound(ge=1, le="max_tokens"),
        Said(
            "Most tokens of the answer, its thinking among them, cut to what the "
            "context leaves.",
            absent="the server's default",
        ),
    ] = None
    text: ResponseText = TextConfig()
    reasoning: Annotated[
        ReasoningConfigBody | None,
        Said(
            "How much it thinks: the template's nearest level, or a bound, or off. "
            "Thinking is told as it is, never as a summary.",
            absent="the model's",
            takes="object with `effort` (`none`, `minimal`, `low`, `medium`, `high`, "
            "`xhigh`, `max`) and `summary` (without effect)",
        ),
    ] = None
    truncation: Annotated[
        Literal["auto", "disabled"],
        Said(
            "With `auto` the oldest turns are left out of a prompt that is too long.",
            absent='`"disabled"`: a 400 with `context_length_exceeded`',
        ),
    ] = "disabled"

    # The prompt cache.
    prewarm: Annotated[
        bool,
        Said("Prepare the prompt cache, and answer nothing.", absent="`false`"),
    ] = False
    generate: Annotated[
        bool, Said("`false` is the same as `prewarm`.", absent="`true`")
    ] = True
    prompt_cache_options: Annotated[
        CacheOptionsBody | None,
        Said(
            "`prewarm` in it is the same as beside it. Prompts are cached anyway.",
            takes="object",
        ),
    ] = None
    prompt_cache_key: Annotated[
        str | None, _Label, Said("Prompts are cached anyway.", standing=NO_EFFECT)
    ] = None
    prompt_cache_retention: Annotated[Any, Ignored("Memory decides.")] = None

    # Who asks.
    metadata: Metadata = {}
    client_metadata: Annotated[
        dict[str, Any] | None,
        Bound(max_length="template_kwargs"),
        Said(
            "Kept in the record; `session_id` in it is the session.",
            takes="object of up to {0.template_kwargs} keys",
            standing=NO_EFFECT,
        ),
    ] = None
    user: Annotated[
        str | None, _Label, Said("Kept in the record.", standing=NO_EFFECT)
    ] = None
    safety_identifier: Annotated[
        str | None,
        _Label,
        Said("Kept in the record, as the user.", standing=NO_EFFECT),
    ] = None
    service_tier: Annotated[
        Literal["auto", "default", "flex", "scale", "priority", "fast"] | None,
        Said("There is one tier.", standing=NO_EFFECT),
    ] = None

    # Not honoured.
    prompt: Annotated[
        None,
        Refused("Send it as `instructions` and `input`.", kinds=(dict,)),
    ] = None
    moderation: Annotated[
        None, Refused("There is no moderation here.", kinds=(dict,))
    ] = None

    @property
    def only_prepares(self) -> bool:
        """Whether nothing is to be answered."""
        options = self.prompt_cache_options
        asked = options is not None and bool(options.prewarm)
        return self.prewarm or not self.generate or asked
