"""The table of chat parameters: type, range, default and effect, one field each.

The only place where a parameter's grammar stands, with what it shares with other
bodies (`sampling_fields`, `messages`, `tool_fields`, `structure`, `objects`). Names
follow OpenAI's createChatCompletion, then vLLM. `docs/parameters.md` is made
from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from inference.protocol.coercions import text_alone
from inference.protocol.declared import (
    Bound,
    Ignored,
    Leaves,
    Refused,
    Said,
    Standing,
)
from inference.protocol.messages import Messages
from inference.protocol.objects import Metadata, Prediction, TemplateArguments
from inference.protocol.sampling_fields import GenerationBody
from inference.protocol.tool_fields import Choice, ToolChoice, Tools

NO_EFFECT = Standing.NO_EFFECT
_Label = Bound(max_length=512)


class ChatRequestBody(GenerationBody, kw_only=True):
    """Everything a chat request may carry; other names are ignored and listed."""

    messages: Messages

    # Tools.
    tools: Tools = ()
    tool_choice: ToolChoice = Choice()
    parallel_tool_calls: Annotated[
        bool | None,
        Said(
            "Whether one answer may hold several calls.",
            absent="`true`; `false` where a call is forced",
        ),
    ] = None

    # Thinking and the chat template.
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None,
        Said(
            "How much it thinks: the template's nearest level, or a bound, or off.",
            absent="the model's",
        ),
    ] = None
    thinking_budget: Annotated[
        int | None,
        Bound(ge=0, le="max_tokens"),
        Said("Most tokens of thinking; then it is ended.", absent="no bound"),
    ] = None
    add_generation_prompt: Annotated[
        bool | None,
        Said(
            "Begin an answer after the last message.",
            absent="`true`; `false` with `continue_final_message`",
            refuses="`true` with `continue_final_message`",
        ),
    ] = None
    continue_final_message: Annotated[
        bool,
        Said(
            "Go on from the last message's text, or its thinking alone.",
            absent="`false`",
            refuses="a last message of another role, or with calls",
        ),
    ] = False
    chat_template_kwargs: TemplateArguments = {}

    # Accepted, without effect on the answer.
    user: Annotated[
        str | None, _Label, Said("Kept in the record.", standing=NO_EFFECT)
    ] = None
    metadata: Metadata = {}
    service_tier: Annotated[
        Literal["auto", "default", "flex", "scale", "priority", "fast"] | None,
        Said("There is one tier.", standing=NO_EFFECT),
    ] = None
    prediction: Prediction = None

    # Without meaning here: taken, and listed by name.
    safety_identifier: Annotated[Any, Ignored("Kept in the record.")] = None
    prompt_cache_key: Annotated[Any, Ignored("Prompts are cached anyway.")] = None
    prompt_cache_retention: Annotated[Any, Ignored("Memory decides.")] = None
    prompt_cache_options: Annotated[Any, Ignored("Prompts are cached anyway.")] = None
    verbosity: Annotated[
        Any, Ignored("Say it in the prompt.", passing=('"medium"',))
    ] = None
    web_search_options: Annotated[Any, Ignored("There is no search here.")] = None
    store: Annotated[Any, Ignored("Answers are not stored.", passing=("false",))] = None
    # Not honoured: the default passes, anything else is refused by name.
    functions: Annotated[
        None, Refused("Use `tools`.", kinds=(list,), passing=("[]",))
    ] = None
    function_call: Annotated[
        None,
        Refused("Use `tool_choice`.", kinds=(str, dict), passing=('"none"', '"auto"')),
    ] = None
    modalities: Annotated[
        None,
        Leaves(text_alone),
        Refused("Answers are text.", kinds=(list,), passing=('["text"]',)),
    ] = None
    audio: Annotated[None, Refused("Answers are text.", kinds=(dict,))] = None
    moderation: Annotated[
        None, Refused("There is no moderation here.", kinds=(dict,))
    ] = None
