"""What a chat template reads, takes and drops, found out once, at load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jinja2.meta
from jinja2 import TemplateError

from inference.prompting.control import NO_CONTROL, ControlTokens, control_tokens_of
from inference.prompting.effort import EffortTraits, effort_traits_of
from inference.prompting.probes import TOOLS_KEYS, Always, TemplateProbe
from inference.prompting.rendering import sources_of, template_text
from inference.prompting.sandbox import parsed, rendering_within
from inference.prompting.turns import USUAL_DIALECT, USUAL_THINKING_KEY, CallDialect
from inference.prompting.writing import USUAL_WORDS, TemplateWords, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inference.core.requests import ToolCall

PROBE_S = 5.0
ALL_WRITTEN = Written(calls=True, results=True)


@dataclass(frozen=True, slots=True)
class TemplateTraits:
    """What a template reads: tools, and how much the model is to think.

    `takes_system`: a system turn reaches the prompt. `alternates`: it refuses two
    turns of one role in a row. `reads_parts`: it wants content as a list of parts.
    `dialect` is how it wants calls, `thinking_key` the name under which it reads
    earlier thinking. What it drops is in `written`; in `all_written` where tools
    are explained in words. `fault` says why it cannot even render one turn of the
    user's; empty: it can.

    `names` are the variables it reads; `None`: nobody knows. `always` is what it
    cannot do without, `tools_key` the name under which it reads tools. `control` and `words`
    are the model's, not the template's.
    """

    knows_tools: bool = False
    tools_key: str = TOOLS_KEYS[0]
    effort: EffortTraits = field(default_factory=EffortTraits)
    takes_system: bool = True
    alternates: bool = False
    reads_parts: bool = False
    dialect: CallDialect = USUAL_DIALECT
    thinking_key: str = USUAL_THINKING_KEY
    written: Written = Written()  # noqa: RUF009 -- frozen
    all_written: Written = ALL_WRITTEN
    fault: str = ""
    names: frozenset[str] | None = field(default=None, compare=False)
    control: ControlTokens = field(default=NO_CONTROL, compare=False)
    words: TemplateWords = field(default=USUAL_WORDS, compare=False)
    always: Always = field(default_factory=dict, compare=False)


def traits_of(
    tokenizer: Any,
    *,
    reads_calls: bool | None = None,
    write_calls: Callable[[Sequence[ToolCall]], str] | None = None,
    thinking_tags: tuple[str, str] | None = None,
    own_markers: Iterable[str] = (),
) -> TemplateTraits:
    """Read and try out a tokenizer's template; none has no traits.

    `reads_calls`: somebody can read the calls that tools lead to; `None`: where
    mlx-lm can. `write_calls` writes earlier calls as the model would, for templates
    that have no word for them. `thinking_tags` are the model's; `None`: those that
    mlx-lm knows. `own_markers` are texts that its earlier answers may hold. What is not rendered within `PROBE_S` seconds, all trials
    together, is given up.
    """
    words = _words_of(tokenizer, write_calls, thinking_tags)
    control = control_tokens_of(
        tokenizer,
        template_text(tokenizer),
        own=(
            *(words.think_start, words.think_end, *own_markers),
            *(str(getattr(tokenizer, f"tool_call_{end}", None) or "") for end in _ENDS),
        ),
    )
    known = TemplateTraits(control=control, words=words)
    if not getattr(tokenizer, "has_chat_template", False):
        return known
    with rendering_within(PROBE_S):
        return _tried_out(tokenizer, known, reads_calls)


_ENDS = ("start", "end")


def _tried_out(
    tokenizer: Any, known: TemplateTraits, reads_calls: bool | None
) -> TemplateTraits:
    probe = TemplateProbe(tokenizer, known.words)
    names = _names_in(getattr(tokenizer, "chat_template", None))
    known = replace(known, names=names, fault=probe.fault())
    if known.fault:
        return known
    if reads_calls is None:
        reads_calls = bool(getattr(tokenizer, "has_tool_calling", False))
    effort = effort_traits_of(
        names or frozenset(), template_text(tokenizer), probe.question
    )
    if effort.switch:
        probe.options = {effort.switch: effort.on}
    # Tools are of use only where somebody can read the calls they lead to.
    keys = [key for key in TOOLS_KEYS if names is None or key in names]
    knows_tools = reads_calls and bool(keys)
    probe.tools_key = keys[0] if keys else TOOLS_KEYS[0]
    found = probe.calls() if knows_tools else None
    drops_names = probe.drops_names()
    key, form = probe.thinking(ALL_WRITTEN, None)
    all_written = replace(ALL_WRITTEN, thinking=form, names=drops_names)
    dialect, written = found or (USUAL_DIALECT, Written())
    if found:
        key, form = probe.thinking(written, dialect)
        written = replace(written, thinking=form)
    return replace(
        known,
        knows_tools=found is not None,
        tools_key=probe.tools_key,
        always=probe.always,
        effort=effort,
        takes_system=probe.takes_system(),
        alternates=probe.alternates(),
        reads_parts=probe.reads_parts,
        dialect=dialect,
        thinking_key=key,
        written=replace(written, names=drops_names),
        all_written=all_written,
    )


def _words_of(
    tokenizer: Any,
    write_calls: Callable[[Sequence[ToolCall]], str] | None,
    tags: tuple[str, str] | None,
) -> TemplateWords:
    if tags is None:
        start, end = (getattr(tokenizer, f"think_{end}", None) for end in _ENDS)
        tags = (start, end) if start and end else ("", "")
    return TemplateWords(write_calls or USUAL_WORDS.write_calls, *tags)


def _names_in(template: Any) -> frozenset[str] | None:
    """Return the variables that a template, or several by name, reads."""
    sources = sources_of(template)
    if not sources:
        return None
    names: set[str] = set()
    try:
        for source in sources:
            names |= jinja2.meta.find_undeclared_variables(parsed(source))
    except (TemplateError, RecursionError):
        return None
    return frozenset(names)
