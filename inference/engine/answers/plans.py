"""From what a request asks of its answer to a plan: guides, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inference.core.requests import ChatPrompt
from inference.dialects.dialect import Calling
from inference.dialects.families import hermes
from inference.engine.guidance.answer_forms import AnswerForms
from inference.engine.guidance.guides import GuidePlan
from inference.engine.text.markers import RecentTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.frames import PreparePrompt
    from inference.core.requests import Prompt, SamplingSpec, ToolUse
    from inference.dialects.dialect import Dialect
    from inference.engine.guidance.followers import CallGuide
    from inference.engine.text.formats import ModelFormats, NativeThinking
    from inference.engine.text.markers import Marker
    from inference.engine.text.vocabulary import Vocabulary
    from inference.engine.vision.encoding import PromptPictures
    from inference.prompting.templates import RenderedPrompt

# How prompting.templates asks models to write calls that have no format of their
# own. They may not keep to it, so nothing of it is streamed.
_WRITTEN = hermes.DIALECT


@dataclass(frozen=True, slots=True)
class PreparedPrompt:
    """A prompt's tokens, and what holds for the answers to it.

    `dialects` are the ways in which they may be written, `calling` what they may call.
    `pictures` are its images, to be encoded before it is prefilled. `effort_budget`
    bounds thinking where the request does not. `follows` is a token that
    the answer goes on from; `None`: it begins. `warnings` are for its rows.
    """

    tokens: list[int]
    plan: GuidePlan
    opens_thinking: bool = False
    dialects: tuple[Dialect, ...] = ()
    calling: Calling | None = None
    pictures: PromptPictures | None = None
    warnings: tuple[str, ...] = ()
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
    tools = _callable_tools(command.prompt)
    if not isinstance(command.prompt, ChatPrompt):
        formats = formats.bare
    forms = AnswerForms(
        vocabulary,
        # An answer that goes on has its head already.
        None if rendered.continues else formats.dialect,
        None if rendered.uses_fallback_tools else formats.calls,
        tools,
        command.grammar,
    )
    answer, whole = forms.answer()
    marks, warnings = forms.marks() if answer is None else ((), ())
    plan = GuidePlan(
        answer=answer,
        marks=marks,
        streams=forms.streams,
        ends=(*vocabulary.eos_ids, *_breaks_of(formats, vocabulary)),
        spell=vocabulary.bytes_of if _are_spelled(marks) else None,
        tokens_of=vocabulary.tokens_of,
    )
    if formats.thinking is not None:
        plan = _with_thinking(plan, rendered, formats.thinking, forms, vocabulary)
    calling = None
    if tools is not None:
        is_either = command.grammar is not None and not tools.is_forced
        calling = Calling(
            tools.callable_tools, tools.parallel, whole, only_first=is_either
        )
    return PreparedPrompt(
        tokens=rendered.tokens,
        plan=plan,
        opens_thinking=rendered.opens_thinking,
        effort_budget=rendered.thinking_budget,
        follows=rendered.follows,
        dialects=_dialects_of(formats, tools, is_written=rendered.uses_fallback_tools),
        calling=calling,
        warnings=warnings,
    )


def _callable_tools(prompt: Prompt) -> ToolUse | None:
    """Return the tools that an answer may call; `None`: none."""
    tools = prompt.tools if isinstance(prompt, ChatPrompt) else None
    return tools if tools is not None and tools.callable_tools else None


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
    thinking: NativeThinking,
    forms: AnswerForms,
    vocabulary: Vocabulary,
) -> GuidePlan:
    spell = vocabulary.bytes_of
    closed = rendered.continues or _has_closed_thinking(
        rendered.tokens, thinking.end, spell
    )
    resumes = forms.resumes
    is_spelled = thinking.start.text or thinking.end.text
    return replace(
        plan,
        think_start=None if closed or rendered.opens_thinking else thinking.start,
        think_end=thinking.end,
        opens_thinking=rendered.opens_thinking,
        resumed=forms.answer(resumes)[0] if resumes else None,
        head=forms.head() if resumes and not plan.is_strict else None,
        spell=spell if is_spelled else plan.spell,
    )


def _breaks_of(formats: ModelFormats, vocabulary: Vocabulary) -> tuple[int, ...]:
    """Return the tokens that would end thinking in the wrong place."""
    dialect = formats.dialect
    cut = [vocabulary.cut(text) for text in dialect.breaks] if dialect else []
    return tuple(p for pieces in cut for p in pieces[:1] if isinstance(p, int))


def _are_spelled(marks: tuple[CallGuide, ...]) -> bool:
    return any(mark.start.text for mark in marks)


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
