"""From what a request asks of its answer to a plan: guides, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inference.dialects.dialect import Calling, Opener
from inference.dialects.families import hermes
from inference.dialects.json_calls import JSONCalls
from inference.engines.guides import CallGuide, GuidePlan
from inference.engines.markers import RecentTokens
from inference.structure.calls import calls_grammar
from inference.structure.grammars import to_llguidance

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import PreparePrompt
    from inference.core.requests import SamplingSpec, ToolUse
    from inference.dialects.dialect import Dialect
    from inference.engines.formats import ModelFormats, NativeCalls, NativeThinking
    from inference.engines.markers import Marker
    from inference.engines.vision_encoding import PromptPictures
    from inference.engines.vocabulary import Vocabulary
    from inference.prompting.templates import RenderedPrompt

# Calls that one forced answer may hold.
CALLS_MOST = 8
# How prompting.templates asks models to write calls that have no format of their
# own. They may not keep to it, so nothing of it is streamed.
_WRITTEN = hermes.DIALECT
_BARE_CALLS = Opener("", JSONCalls(separators=("\n",)), keeps=True)


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """A prompt's tokens, and what holds for the answers to it.

    `dialects` are the ways in which they may be written, `calling` what they may call.
    `pictures` are its images, to be encoded before it is prefilled. `effort_budget`
    bounds thinking where the request does not. `follows` is a token that
    the answer goes on from; `None`: it begins.
    """

    tokens: list[int]
    plan: GuidePlan
    opens_thinking: bool = False
    dialects: tuple[Dialect, ...] = ()
    calling: Calling | None = None
    pictures: PromptPictures | None = None
    effort_budget: int | None = None
    follows: int | None = None

    def thinking_budget(self, spec: SamplingSpec) -> int | None:
        """Return how many tokens thinking may take; `None`: as many as it likes.

        Where the answer has to have a form, half of it is kept for the answer.
        """
        if spec.thinking_budget is not None:
            return spec.thinking_budget
        most = self.effort_budget
        if not self.plan.is_strict:
            return most
        half = max(1, spec.max_tokens // 2)
        return half if most is None else min(most, half)


def prepare_answer(
    command: PreparePrompt,
    rendered: RenderedPrompt,
    formats: ModelFormats,
    vocabulary: Vocabulary,
) -> PreparedPrompt:
    """Compile what the answer must look like.

    Raises:
        InvalidRequestError: a grammar is refused, naming its parameter.
    """
    if command.wants_logprobs:
        vocabulary.load()
    tools = command.tools if command.tools and command.tools.callable_tools else None
    body, guide, whole = None, None, None
    if command.grammar is not None:
        body = vocabulary.matcher_for(
            to_llguidance(command.grammar), param=command.grammar.param
        )
    elif tools is not None:
        native = None if rendered.uses_fallback_tools else formats.calls
        if native is not None:
            guide = _call_guide(tools, native, vocabulary)
        elif tools.is_forced:
            grammar = calls_grammar(tools.callable_tools, most=_most(tools))
            body, whole = vocabulary.matcher_for(grammar, param="tools"), _BARE_CALLS
    return PreparedPrompt(
        tokens=rendered.tokens,
        plan=_with_thinking(
            GuidePlan(
                body=body,
                body_is_calls=whole is not None,
                calls=guide,
                ends=vocabulary.eos_ids,
            ),
            rendered,
            formats.thinking,
            spell=vocabulary.bytes_of,
        ),
        opens_thinking=rendered.opens_thinking,
        effort_budget=rendered.thinking_budget,
        follows=rendered.follows,
        dialects=_dialects_of(formats, tools, is_written=rendered.uses_fallback_tools),
        calling=None
        if tools is None
        else Calling(tools.callable_tools, tools.parallel, whole),
    )


def _dialects_of(
    formats: ModelFormats, tools: ToolUse | None, *, is_written: bool
) -> tuple[Dialect, ...]:
    """Return the ways in which an answer may be written, the likeliest first.

    Where tools were explained in words, models still fall back to their own way.
    """
    written = _WRITTEN if tools is not None and is_written else None
    found = (written, formats.dialect, formats.thoughts)
    return tuple(dialect for dialect in found if dialect is not None)


def _with_thinking(
    plan: GuidePlan,
    rendered: RenderedPrompt,
    thinking: NativeThinking | None,
    *,
    spell: Callable[[int], bytes],
) -> GuidePlan:
    if thinking is None:
        return plan
    closed = rendered.continues or _has_closed_thinking(
        rendered.tokens, thinking.end, spell
    )
    return replace(
        plan,
        think_start=None if closed or rendered.opens_thinking else thinking.start,
        think_end=thinking.end,
        opens_thinking=rendered.opens_thinking,
        spell=spell if thinking.start.text or thinking.end.text else None,
    )


def _most(tools: ToolUse) -> int:
    return CALLS_MOST if tools.parallel and not tools.function else 1


def _call_guide(
    tools: ToolUse, native: NativeCalls, vocabulary: Vocabulary
) -> CallGuide:
    grammar = calls_grammar(
        tools.callable_tools, before=native.json.before, after=native.json.after
    )
    return CallGuide(
        start=native.start,
        end=native.end,
        body=vocabulary.matcher_for(grammar, param="tools"),
        is_forced=tools.is_forced,
        repeats=_most(tools) > 1,
    )


def _has_closed_thinking(
    prompt: list[int], end: Marker, spell: Callable[[int], bytes]
) -> bool:
    """Whether a template has thought for the model: an empty pair at the end."""
    recent = RecentTokens(spell)
    tail = len(end.tokens) + 4
    for token in prompt[-tail:]:
        recent.add(token)
        if recent.end_with(end):
            return True
    return False
