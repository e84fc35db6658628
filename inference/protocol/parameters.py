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


class LogitBias(StrictField):
    """An object of token ids and biases; becomes a tuple of pairs."""

    types = (dict,)
    what = "an object of token ids and biases"

    def to_value(self, data: Any) -> tuple[tuple[int, float], ...]:
        """Check each pair; name the one at fault by its token."""
        if len(data) > self.limits.logit_bias:
            raise ValidationError(
                f"too many tokens. Expected at most {self.limits.logit_bias}, "
                f"but got {len(data)} instead.",
                code="object_above_max_properties",
            )
        return tuple(self._to_pair(key, value) for key, value in data.items())

    def _to_pair(self, key: str, value: Any) -> tuple[int, float]:
        most = self.limits.token_id
        if not (key.isascii() and key.isdecimal() and int(key[:12]) <= most):
            raise ValidationError(
                f"expected token ids as keys, but got '{key[:64]}' instead.",
                code="invalid_value",
            )
        number = Number(-100, 100)
        try:
            return int(key), number.run_validation(value)
        except ValidationError as error:
            raise ValidationError({f"'{key}'": error.detail}) from None


class TokenIds(StrictField):
    """Some token ids; becomes a tuple."""

    types = (list,)
    what = "an array of token ids"

    def to_value(self, data: Any) -> tuple[int, ...]:
        """Check each id; name the one at fault by its place."""
        if len(data) > self.limits.stop_token_ids:
            raise ValidationError(
                f"array too long. Expected at most {self.limits.stop_token_ids} "
                f"items, but got {len(data)} instead.",
                code="array_above_max_length",
            )
        return tuple(self._to_id(i, item) for i, item in enumerate(data))

    def _to_id(self, place: int, item: Any) -> int:
        number = Integer(0, self.limits.token_id)
        try:
            return int(number.run_validation(item))
        except ValidationError as error:
            raise ValidationError({str(place): error.detail}) from None


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
    presence_penalty = Number(
        -2, 2, help_text="Default 0. Taken once from each token of the answer so far."
    )
    frequency_penalty = Number(
        -2, 2, help_text="Default 0. Taken as often as the answer has the token."
    )
    repetition_penalty = Number(
        0,
        2,
        above=True,
        help_text="Default: the model's. Divides the logits of prompt and answer.",
    )
    logit_bias = LogitBias(help_text="Added to the logits of these token ids.")
    min_tokens = Integer(
        0, "max_tokens", help_text="Default 0. No end token before so many tokens."
    )
    ignore_eos = Flag(help_text="Default false. The end token does not end.")
    stop_token_ids = TokenIds(help_text="Further tokens that end the answer.")

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
