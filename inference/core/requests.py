"""What a request asks and what its answer is made of: frozen, in no wire format.

`None` in a sampling field means "not given": the model's own defaults, then the
server's, fill it before the worker sees it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from inference.core.outcomes import RequestKind


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Text of a message."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """An image of a message: a data URL or an http(s) URL, not yet fetched.

    `path` is where the client wrote it; empty: where it stands in the conversation.
    """

    url: str
    detail: str = "auto"
    path: str = ""


ContentPart = TextPart | ImagePart


class ToolCall(msgspec.Struct, frozen=True):
    """A call an assistant turn made; `arguments` is JSON text, as the client sent it."""

    id: str
    name: str
    arguments: str


class ChatMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation; `role` is system, developer, user, assistant or tool.

    `reasoning` is thinking that an assistant's turn carried back.
    """

    role: str
    content: tuple[ContentPart, ...] = ()
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str = ""

    @property
    def text(self) -> str:
        """The text parts joined, without images."""
        return "".join(p.text for p in self.content if isinstance(p, TextPart))

    @property
    def has_images(self) -> bool:
        """Whether any part is an image."""
        return any(isinstance(p, ImagePart) for p in self.content)


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function the model may call; `parameters` is a JSON schema of an object.

    `enforced` is what holds instead of a schema that cannot be; the model is told
    the schema. `sent_name` is the client's name, where the model's differs.
    `path` is where the client wrote the schema; empty: at its place among the tools.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    enforced: dict[str, Any] | None = None
    sent_name: str = ""
    path: str = ""


class ToolMode(StrEnum):
    """How free the model is to call: OpenAI's `tool_choice`; FUNCTION names one."""

    NONE = "none"
    AUTO = "auto"
    REQUIRED = "required"
    FUNCTION = "function"


class ToolUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tools of a request, never empty; `function` is set in mode FUNCTION."""

    tools: tuple[Tool, ...]
    mode: ToolMode = ToolMode.AUTO
    function: str = ""
    parallel: bool = True

    @property
    def sent_names(self) -> dict[str, str]:
        """The client's names of the tools that the model knows by others."""
        return {tool.name: tool.sent_name for tool in self.tools if tool.sent_name}

    @property
    def is_forced(self) -> bool:
        """Whether the answer must be a call."""
        return self.mode in (ToolMode.REQUIRED, ToolMode.FUNCTION)

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools a call may name."""
        if self.mode is ToolMode.FUNCTION:
            return tuple(t for t in self.tools if t.name == self.function)
        return () if self.mode is ToolMode.NONE else self.tools


class GrammarKind(StrEnum):
    """What a grammar's source is written in."""

    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    LARK = "lark"


class Grammar(msgspec.Struct, frozen=True):
    """What an answer must look like; `param` is the field that asked for it.

    `source` is a JSON schema as JSON text, a regular expression, or Lark in
    llguidance's dialect.
    """

    kind: GrammarKind
    source: str
    param: str


class SamplingSettings(msgspec.Struct, frozen=True):
    """What means the same in a request and in the worker, said or not.

    `logit_bias` holds pairs of token id and bias. Presence and frequency penalties
    count completion tokens, as OpenAI's do. `logprobs` is how many alternatives are
    told of each token, 0 to 20; `None`: not even its own. `thinking_budget` counts
    tokens of thinking.
    """

    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    logprobs: int | None = None
    thinking_budget: int | None = None


class SamplingRequest(SamplingSettings, frozen=True, omit_defaults=True):
    """What the client asked of the sampler; `None` where it asked nothing.

    `max_tokens` counts completion tokens. `top_k` 0 and `min_p` 0.0 mean off.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = None
    repetition_penalty: float | None = None


class SamplingSpec(SamplingSettings, frozen=True):
    """The sampler's settings with every default filled in: what the worker gets.

    The repetition penalty counts the prompt's tokens too, as Hugging Face's does.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 4096
    repetition_penalty: float = 1.0

    @property
    def adjusts_logits(self) -> bool:
        """Whether anything but temperature and filters moves the logits."""
        return bool(
            self.presence_penalty
            or self.frequency_penalty
            or self.repetition_penalty != 1.0
            or self.logit_bias
            or self.min_tokens
        )


class ChatPrompt(msgspec.Struct, frozen=True, omit_defaults=True, tag="chat"):
    """A conversation that the model's template turns into text.

    `template_kwargs` goes to the template. `continue_final_message`: the answer goes
    on from the last message, an assistant's; without `add_generation_prompt` the
    prompt ends behind it, and no answer is begun.
    """

    messages: tuple[ChatMessage, ...]
    tools: ToolUse | None = None
    template_kwargs: dict[str, Any] = {}
    reasoning_effort: str | None = None
    add_generation_prompt: bool = True
    continue_final_message: bool = False

    @property
    def image_count(self) -> int:
        """How many images the messages carry."""
        return sum(
            isinstance(part, ImagePart) for m in self.messages for part in m.content
        )


class TextPrompt(msgspec.Struct, frozen=True, tag="text_prompt"):
    """A text that the model goes on from as it stands, without a template.

    `adds_special`: with the tokens that the tokenizer puts around a text.
    """

    text: str
    adds_special: bool = True


class TokenPrompt(msgspec.Struct, frozen=True, tag="tokens"):
    """Token ids that the model goes on from."""

    tokens: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | TokenPrompt


class Generate(msgspec.Struct, frozen=True, kw_only=True):
    """Work: answer each of `prompts` `n` times; choices are numbered prompt by prompt.

    With `continuous_usage` every delta carries the usage so far. With `echo` the first
    delta of each choice carries the text of its prompt, and with `prompt_logprobs` how
    likely each of its tokens was, and so many others at its place. With `spells` the
    worker tells of each prompt what it is made of. With `truncates` the oldest turns of
    a conversation that is too long are left out.
    """

    prompts: tuple[Prompt, ...]
    sampling: SamplingRequest = SamplingRequest()
    n: int = 1
    grammar: Grammar | None = None
    continuous_usage: bool = False
    echo: bool = False
    prompt_logprobs: int | None = None
    spells: bool = False
    truncates: bool = False

    @property
    def rows(self) -> int:
        """How many sequences it takes."""
        return len(self.prompts) * self.n

    @property
    def tools(self) -> ToolUse | None:
        """The tools of its conversation, where it is one."""
        chat = self.chat
        return None if chat is None else chat.tools

    @property
    def chat(self) -> ChatPrompt | None:
        """Its conversation; `None` where it goes on from bare texts or tokens."""
        first = self.prompts[0]
        return first if isinstance(first, ChatPrompt) else None

    @property
    def image_count(self) -> int:
        """How many images its prompts carry."""
        chat = self.chat
        return 0 if chat is None else chat.image_count


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Work: tell how many tokens a prompt has, and answer nothing.

    `grammar` is what the answer would have to look like; `spells`: tell what the
    prompt is made of, too.
    """

    prompt: Prompt
    grammar: Grammar | None = None
    spells: bool = False

    @property
    def as_asked(self) -> Generate:
        """The answer whose prompt is counted."""
        return Generate(
            prompts=(self.prompt,), grammar=self.grammar, spells=self.spells
        )

    @property
    def image_count(self) -> int:
        """How many images the prompt carries."""
        return self.as_asked.image_count


class SpelledPrompt(msgspec.Struct, frozen=True):
    """What a prompt is made of: the text that the model reads, and its tokens.

    `tokens`, and `names` as the vocabulary has them, are JSON arrays already: the
    event loop only passes them on. `context_length` is how many the model can read.
    """

    text: str
    tokens: bytes
    names: bytes
    context_length: int


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks of a model, after validation and in no wire format.

    `model` is the name as the client wrote it, or `None` when it named none.
    `params` holds the parameters as sent, for the record; never messages.
    """

    work: Generate
    model: str | None = None
    stream: bool = False
    params: dict[str, Any] = {}

    @property
    def kind(self) -> RequestKind:
        """Text or vision, streamed or not."""
        return RequestKind.of(vision=bool(self.work.image_count), stream=self.stream)


class CountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks to have counted; `model` and `params` as in its sibling."""

    work: Count
    model: str | None = None
    params: dict[str, Any] = {}


class Usage(msgspec.Struct, frozen=True):
    """Token counts of a generation, by the model's own tokenizer.

    Completion tokens are those of all choices; reasoning tokens are among them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


class ToolCallDelta(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a call: its first has `id` and `name`, all add to `arguments`."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class TokenAlternative(msgspec.Struct, frozen=True, array_like=True):
    """A token and the natural logarithm of its probability."""

    token: bytes
    logprob: float


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token of the answer and the likeliest tokens at its place, best first."""

    token: bytes
    logprob: float
    top: tuple[TokenAlternative, ...] = ()


class Delta(msgspec.Struct, frozen=True):
    """What became readable since the last delta of one choice.

    The last delta of a choice carries `finish_reason` (and possibly no text), and
    `stop`, the stop string that ended it, where one did;
    the last delta of a generation carries `usage`, and every delta does where
    the request asked for continuous usage. `prompt_text` stands in the first
    delta of each choice where it was asked for, `prompt_logprobs` in a delta of the
    first choice of each prompt, before its text.
    """

    text: str = ""
    index: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_text: str = ""
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    stop: str = ""
