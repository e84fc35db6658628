"""Judging a job with llguidance: runs in the process that may die of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llguidance import LLMatcher

from inference.core.errors import InvalidRequestError
from inference.structure.calls import calls_grammar, check_tools
from inference.structure.faults import to_fault
from inference.structure.grammars import check, words_against
from inference.structure.jobs import Verdict, enforced

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.requests import ToolUse
    from inference.structure.jobs import CheckJob


def judge(job: CheckJob, tell: Callable[[str], None]) -> Verdict:
    """Return the verdict; `tell` hears each parameter before it is compiled."""
    try:
        if job.grammar is not None:
            tell(job.grammar.param)
            check(job.grammar)
        return Verdict() if job.tools is None else _of_tools(job.tools, tell)
    except InvalidRequestError as error:
        return Verdict(error.message, error.param or job.param, error.code)


def _of_tools(use: ToolUse, tell: Callable[[str], None]) -> Verdict:
    checked, warnings = check_tools(use, tell)
    given_up = tuple(
        at for at, tool in enumerate(checked.tools) if tool.enforced is not None
    )
    tell("tools")
    words = _against_all(checked)
    if not words:
        return Verdict(given_up=given_up, warnings=warnings)
    if use.is_forced or any(tool.strict for tool in use.tools):
        raise InvalidRequestError(
            f"Invalid 'tools': all together, {to_fault(words).message}.",
            param="tools",
            code="invalid_schema",
        )
    places = tuple(range(len(use.tools)))
    if words := _against_all(enforced(use, places)):
        raise InvalidRequestError(
            f"Invalid 'tools': {to_fault(words).message}.",
            param="tools",
            code="invalid_schema",
        )
    said = "tools: all together they are too complex, no schema is enforced"
    return Verdict(given_up=places, warnings=(*warnings, said))


def _against_all(use: ToolUse) -> str:
    """Return what llguidance has against a call of any of the tools."""
    if not use.callable_tools:
        return ""
    return words_against(LLMatcher.grammar_from_lark(calls_grammar(use.callable_tools)))
