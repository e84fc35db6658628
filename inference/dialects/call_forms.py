"""Grammars of calls as their dialects write them, in Lark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.dialects.call_rules import CallRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.core.requests import Tool
    from inference.dialects.dialect import CallForm

    Cut = Callable[[str], Sequence[str | int]]
    Fits = Callable[[dict[str, Any], Any], bool]


def forced_calls(
    form: CallForm,
    tools: Sequence[Tool],
    cut: Cut,
    fits: Fits,
    *,
    most: int,
    resumes: str = "",
) -> str:
    """Return the grammar of an answer that is one to `most` calls and nothing else.

    `resumes` stands before it.

    Raises:
        CannotWriteError: a tool cannot be called so.
    """
    rules = CallRules(cut, fits)
    most = min(most, form.most or most)
    call = rules.one_of(form.call(tool, rules) for tool in tools)
    start = "" if form.keeps else form.start
    before = rules.literal(resumes + form.before + start + form.lead)
    if form.wraps_all:
        more = _more(f"{rules.literal(form.separator)} {call}", most)
        return rules.source(f"{before} {call}{more} {rules.literal(form.end)}")
    again = rules.literal(form.between + start + form.lead)
    # In one rule with what ends it: nothing may follow the last.
    block = rules.rule(f"{call} {rules.literal(form.end)}")
    more = _more(f"{again} {block}", most)
    return rules.source(f"{before} {block}{more}")


def marked_calls(
    form: CallForm, tools: Sequence[Tool], cut: Cut, fits: Fits, *, most: int
) -> str:
    """Return the grammar of what follows `form.start` up to its block's end.

    Raises:
        CannotWriteError: a tool cannot be called so.
    """
    rules = CallRules(cut, fits)
    skipped = form.start if form.keeps else ""
    first = rules.one_of(form.call(tool, rules, skipped) for tool in tools)
    more = ""
    if (form.wraps_all or form.shares) and most > 1:
        call = rules.one_of(form.call(tool, rules) for tool in tools)
        more = _more(f"{rules.literal(form.separator)} {call}", most)
    lead, end = rules.literal(form.lead), rules.literal(form.end)
    return rules.source(f"{lead} {first}{more} {f'({end})?' if form.shares else end}")


def _more(expression: str, most: int) -> str:
    return f" ({expression}){{0,{most - 1}}}" if most > 1 else ""
