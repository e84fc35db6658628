"""The table of chat parameters: type, range, default and effect, one line each.

The only place where a parameter's grammar stands; what has a grammar of its own
(messages, tools, structured output) is read by the room's other modules. Names
follow OpenAI's createChatCompletion, then vLLM. `docs/parameters.md` is made
from it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from inference.protocol import faults
from inference.protocol.body import BodySerializer
from inference.protocol.fields import (
    Choice,
    Flag,
    Integer,
    JSONObject,
    Number,
    OnlyDefault,
    Standing,
    StrictField,
    Text,
)
from inference.protocol.messages import ROLES, to_messages, unknown_keys
from inference.protocol.objects import MetadataField, Prediction, TemplateArguments
from inference.protocol.sampling_fields import LogitBias, StopStrings, TokenIds
from inference.protocol.structure import Guided, ResponseFormat, StructuredOutputs
from inference.protocol.tool_fields import ToolChoice, Tools

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.core.limits import Limits
    from inference.core.requests import ChatMessage

NO_EFFECT = Standing.NO_EFFECT
_ONE_GRAMMAR = "a second grammar"


class Messages(StrictField):
    """The conversation; becomes a tuple of `ChatMessage`."""

    types = (list,)
    what = "an array of objects"

    def to_value(self, data: Any) -> tuple[ChatMessage, ...]:
        """Read each message."""
        return to_messages(data, limits=self.limits)

    def type_and_range(self) -> str:
        """Say the roles."""
        roles = ", ".join(f"`{role}`" for role in ROLES)
        return f"array of 1 to {self.limits.messages:,} messages; roles {roles}"

    def unknown_keys(self, data: Any) -> Iterable[str]:
        """Look into each message."""
        return unknown_keys(data)


class StreamOptionsFields(BodySerializer):
    """How to stream."""

    include_usage = Flag(
        absent="`false`", help_text="A last chunk carries the usage of the request."
    )
    continuous_usage_stats = Flag(
        absent="`false`",
        help_text="Every chunk carries the usage so far; implies `include_usage`.",
    )
    include_obfuscation = Flag(
        standing=NO_EFFECT, help_text="Nothing is obfuscated here."
    )


class ChatParameters(BodySerializer):
    """Everything a chat request may carry."""

    messages = Messages(
        absent="a 400",
        help_text="The conversation to continue. A tool's message answers a call "
        "of an earlier one; `reasoning_content` carries thinking back.",
        refuses="audio, files, role `function`, `function_call`",
    )
    model = Text(
        "model_name_chars",
        absent="the server's default model",
        help_text="Which model answers.",
        refuses="a model that is not served: 404",
    )

    # Streaming.
    stream = Flag(absent="`false`", help_text="Answer as server-sent events.")
    stream_options = StreamOptionsFields(
        help_text="How to stream.", refuses="without `stream`"
    )

    # Sampling.
    temperature = Number(
        0, "temperature", absent="the model's", help_text="0: always the likeliest."
    )
    top_p = Number(
        0,
        1,
        above=True,
        absent="the model's",
        help_text="Sample among the likeliest tokens that reach this share. 1: off.",
    )
    top_k = Integer(
        -1,
        "top_k",
        absent="the model's",
        help_text="Sample among so many likeliest tokens. 0 or -1: off.",
    )
    min_p = Number(
        0,
        1,
        absent="the model's",
        help_text="No token below this share of the likeliest one's. 0: off.",
    )
    xtc_probability = Number(
        0,
        1,
        absent="0",
        help_text="How often all but the least of the tokens above `xtc_threshold` "
        "are left out. 0: off.",
    )
    xtc_threshold = Number(
        0, 0.5, absent="0.1", help_text="See `xtc_probability`, without which it rests."
    )
    seed = Integer(
        -(2**63), "seed_abs", absent="random", help_text="Makes sampling repeatable."
    )
    presence_penalty = Number(
        -2, 2, absent="0", help_text="Taken once from each token of the answer so far."
    )
    frequency_penalty = Number(
        -2, 2, absent="0", help_text="Taken as often as the answer has the token."
    )
    repetition_penalty = Number(
        0,
        2,
        above=True,
        absent="the model's",
        help_text="Divides the logits of tokens in prompt and answer. 1: off.",
    )
    logit_bias = LogitBias(help_text="Added to the logits of these token ids.")
    n = Integer(
        1,
        "choices",
        absent="1",
        help_text="Choices, sampled independently.",
        refuses="more than the model has seats",
    )
    logprobs = Flag(
        absent="`false`", help_text="Tell the log probability of each token."
    )
    top_logprobs = Integer(
        0,
        20,
        absent="0",
        help_text="Tell so many likeliest tokens at each place.",
        refuses="above 0 without `logprobs`",
    )

    # The end of the answer.
    max_tokens = Integer(
        1,
        "max_tokens",
        absent="the server's default",
        help_text="Most completion tokens, cut to what the context leaves.",
    )
    max_completion_tokens = Integer(
        1, "max_tokens", help_text="The same; wins over `max_tokens`."
    )
    min_tokens = Integer(
        0, "max_tokens", absent="0", help_text="No end token before so many tokens."
    )
    stop = StopStrings(help_text="Text that ends the answer and is not shown.")
    stop_token_ids = TokenIds(help_text="Further tokens that end the answer.")
    ignore_eos = Flag(absent="`false`", help_text="The end token does not end.")

    # Structured output.
    response_format = ResponseFormat(
        absent="text",
        help_text="What the answer must look like. A schema is enforced, whatever "
        "`strict` says. With tools the answer is a call, or fits.",
        refuses=_ONE_GRAMMAR + "; a schema that cannot be enforced",
    )
    structured_outputs = StructuredOutputs(
        help_text="The same, with vLLM's further grammars.", refuses=_ONE_GRAMMAR
    )
    guided_json = Guided(
        "json", help_text="The answer fits this JSON schema.", refuses=_ONE_GRAMMAR
    )
    guided_regex = Guided(
        "regex", help_text="The answer matches this expression.", refuses=_ONE_GRAMMAR
    )
    guided_choice = Guided(
        "choice", help_text="The answer is one of these.", refuses=_ONE_GRAMMAR
    )
    guided_grammar = Guided(
        "grammar",
        help_text="The answer fits this grammar, Lark in llguidance's dialect.",
        refuses=_ONE_GRAMMAR,
    )

    # Tools.
    tools = Tools(
        help_text="Functions the model may call.",
        refuses="type `custom`; two of one name",
    )
    tool_choice = ToolChoice(
        absent='`"auto"` with tools',
        help_text="Whether the model may, must or must not call, and which function.",
        refuses='without `tools`, but for `"none"`; a function that is not in them; '
        "`allowed_tools`",
    )
    parallel_tool_calls = Flag(
        absent="`true`; `false` where a call is forced",
        help_text="Whether one answer may hold several calls.",
    )

    # Thinking and the chat template.
    reasoning_effort = Choice(
        *("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        absent="the model's",
        help_text="How much it thinks: the template's nearest level, or a bound, or off.",
    )
    thinking_budget = Integer(
        0,
        "max_tokens",
        absent="no bound",
        help_text="Most tokens of thinking; then it is ended.",
    )
    add_generation_prompt = Flag(
        absent="`true`; `false` with `continue_final_message`",
        help_text="Begin an answer after the last message.",
        refuses="`true` with `continue_final_message`",
    )
    continue_final_message = Flag(
        absent="`false`",
        help_text="Go on from the last message's text, or its thinking alone.",
        refuses="a last message of another role, or with calls",
    )
    chat_template_kwargs = TemplateArguments(
        help_text="Further arguments of the model's chat template, ignored where it "
        "does not read them. A switch of thinking goes by the template's own name.",
        refuses="names the server sets itself, such as `messages` or `tools`",
    )

    # Accepted, without effect on the answer.
    user = Text(512, blank=True, standing=NO_EFFECT, help_text="Kept in the record.")
    safety_identifier = Text(
        512, blank=True, standing=NO_EFFECT, help_text="Kept in the record."
    )
    metadata = MetadataField(standing=NO_EFFECT, help_text="Kept in the record.")
    service_tier = Choice(
        *("auto", "default", "flex", "scale", "priority", "fast"),
        standing=NO_EFFECT,
        help_text="There is one tier.",
    )
    prediction = Prediction(
        standing=NO_EFFECT, help_text="The answer is the same without it."
    )
    prompt_cache_key = Text(512, blank=True, standing=NO_EFFECT, help_text="No effect.")
    prompt_cache_retention = Text(64, standing=NO_EFFECT, help_text="No effect.")
    prompt_cache_options = JSONObject(standing=NO_EFFECT, help_text="No effect.")

    # Not honoured: the default passes, anything else is refused by name.
    functions = OnlyDefault("an array", [], help_text="Use `tools`.")
    function_call = OnlyDefault(
        "a string or an object", "none", "auto", help_text="Use `tool_choice`."
    )
    verbosity = OnlyDefault("a string", "medium", help_text="Say it in the prompt.")
    modalities = OnlyDefault("an array", ["text"], help_text="Answers are text.")
    audio = OnlyDefault("an object", help_text="Answers are text.")
    web_search_options = OnlyDefault("an object", help_text="There is no search here.")
    moderation = OnlyDefault("an object", help_text="There is no moderation here.")
    store = OnlyDefault("a boolean", False, help_text="Answers are not stored.")

    def validate(self, attrs: Any) -> Any:
        """Refuse what makes sense only beside something that was not sent."""
        if "stream_options" in attrs and not attrs.get("stream"):
            raise faults.invalid(
                "stream_options", "only allowed when 'stream' is true."
            )
        if attrs.get("top_logprobs") and not attrs.get("logprobs"):
            raise faults.invalid(
                "top_logprobs", "only allowed when 'logprobs' is true."
            )
        return attrs


@lru_cache(maxsize=8)
def chat_parameters(limits: Limits) -> ChatParameters:
    """Return the table bound to `limits`; it keeps no state between requests."""
    return ChatParameters(context={"limits": limits})
