"""The table of chat parameters: type, range, default and effect, one line each.

The only place where a parameter's grammar stands; messages have their own
(`inference.protocol.messages`). Names follow OpenAI's createChatCompletion.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import ErrorDetail, ValidationError

from inference.protocol.fields import (
    BodySerializer,
    Flag,
    Integer,
    JSONObject,
    Number,
    OnlyDefault,
    StrictField,
    Text,
)

if TYPE_CHECKING:
    from inference.core.limits import Limits


class StopStrings(StrictField):
    """One string, or some; becomes a tuple."""

    types = (str, list)
    what = "a string or an array of strings"

    def to_value(self, data: Any) -> tuple[str, ...]:
        """Check each string; name the one at fault by its place."""
        if isinstance(data, str):
            return (self._to_stop(data),)
        if len(data) > self.limits.stops:
            raise ValidationError(
                f"array too long. Expected at most {self.limits.stops} items, "
                f"but got {len(data)} instead.",
                code="array_above_max_length",
            )
        stops = []
        for i, item in enumerate(data):
            try:
                stops.append(self._to_stop(item))
            except ValidationError as error:
                raise ValidationError({str(i): error.detail}) from None
        return tuple(stops)

    def _to_stop(self, item: Any) -> str:
        text = Text(self.limits.stop_chars)
        stop: str = text.to_internal_value(item)
        return stop


class StreamOptions(BodySerializer):
    """How to stream."""

    include_usage = Flag(help_text="Default false. A last chunk carries the usage.")
    include_obfuscation = Flag(help_text="No effect: nothing is obfuscated here.")


class ChatParameters(BodySerializer):
    """Everything a chat request may carry beside its messages."""

    # Honoured.
    model = Text("model_name_chars", help_text="Default: the server's default model.")
    stream = Flag(help_text="Default false. Answer as server-sent events.")
    stream_options = StreamOptions(help_text="Only with stream.")
    temperature = Number(0, "temperature", help_text="Default: the model's. 0: greedy.")
    top_p = Number(0, 1, above=True, help_text="Default: the model's. 1: off.")
    top_k = Integer(-1, "top_k", help_text="Default: the model's. 0 or -1: off.")
    min_p = Number(0, 1, help_text="Default: the model's. 0: off.")
    max_tokens = Integer(1, "max_tokens", help_text="Most completion tokens.")
    max_completion_tokens = Integer(
        1, "max_tokens", help_text="The same; wins over max_tokens."
    )
    stop = StopStrings(help_text="Text that ends the answer and is not shown.")
    seed = Integer(-(2**63), "seed_abs", help_text="Makes sampling repeatable.")

    # Accepted, without effect on the answer.
    user = Text(512, blank=True, help_text="Kept in the record.")
    safety_identifier = Text(512, blank=True, help_text="Kept in the record.")
    metadata = JSONObject(help_text="Kept in the record.")
    prompt_cache_key = Text(
        512, blank=True, help_text="No effect: shared prefixes are found without it."
    )
    prompt_cache_retention = Text(64, help_text="No effect.")
    prompt_cache_options = JSONObject(help_text="No effect.")

    # Not honoured yet: the default passes, anything else is refused by name.
    n = OnlyDefault(1)
    frequency_penalty = OnlyDefault(0)
    presence_penalty = OnlyDefault(0)
    logit_bias = OnlyDefault({})
    logprobs = OnlyDefault(False)
    top_logprobs = OnlyDefault(0)
    response_format = OnlyDefault({"type": "text"})
    tools = OnlyDefault([])
    tool_choice = OnlyDefault("none", "auto")
    parallel_tool_calls = OnlyDefault(True)
    functions = OnlyDefault([])
    function_call = OnlyDefault("none", "auto")
    reasoning_effort = OnlyDefault("medium")
    verbosity = OnlyDefault("medium")
    modalities = OnlyDefault(["text"])
    audio = OnlyDefault()
    prediction = OnlyDefault()
    web_search_options = OnlyDefault()
    moderation = OnlyDefault()
    service_tier = OnlyDefault("auto", "default")
    store = OnlyDefault(False)

    def validate(self, attrs: Any) -> Any:
        """Refuse options of a stream that was not asked for."""
        if "stream_options" in attrs and not attrs.get("stream", False):
            message = "only allowed when 'stream' is true."
            raise ValidationError(
                {"stream_options": [ErrorDetail(message, code="invalid_value")]}
            )
        return attrs


@lru_cache(maxsize=8)
def chat_parameters(limits: Limits) -> ChatParameters:
    """Return the table bound to `limits`; it keeps no state between requests."""
    return ChatParameters(context={"limits": limits})
