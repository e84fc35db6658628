"""Judging a job with llguidance: runs in the process that may die of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from llguidance import LLMatcher

from inference.core.errors import InvalidRequestError
from inference.structure.calls import calls_grammar, check_tools
from inference.structure.faults import to_fault
from inference.structure.grammars import check, words_against
from inference.structure.jobs import ANY_ARGUMENTS, Verdict, enforced

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.requests import Grammar, ToolUse
    from inference.structure.jobs import CheckJob


def judge(job: CheckJob, tell: Callable[[str], None]) -> Verdict:
    """Return the verdict; `tell` hears each parameter before it is compiled."""
    try:
        verdict = Verdict() if job.grammar is None else _of_grammar(job.grammar, tell)
        return verdict if job.tools is None else _of_tools(job.tools, tell, verdict)
    except InvalidRequestError as error:
        return Verdict(error.message, error.param or job.param, error.code)


def _of_grammar(grammar: Grammar, tell: Callable[[str], None]) -> Verdict:
    tell(grammar.param)
    loose = check(grammar)
    if loose is None:
        return Verdict()
    warning = f"{grammar.param}: {loose.short}"
    return Verdict(grammar=json.dumps(loose.schema), warnings=(warning,))


def _of_tools(use: ToolUse, tell: Callable[[str], None], verdict: Verdict) -> Verdict:
    checked, warnings = check_tools(use, tell)
    warnings = (*verdict.warnings, *warnings)
    held = {
        at: tool.enforced
        for at, tool in enumerate(checked.tools)
        if tool.enforced is not None
    }
    tell("tools")
    words = _against_all(checked)
    if not words:
        return msgspec.structs.replace(verdict, held=held, warnings=warnings)
    if use.is_forced:
        raise InvalidRequestError(
            f"Invalid 'tools': all together, {to_fault(words).message}.",
            param="tools",
            code="invalid_schema",
        )
    loosest = dict.fromkeys(range(len(use.tools)), ANY_ARGUMENTS)
    if words := _against_all(enforced(use, loosest)):
        raise InvalidRequestError(
            f"Invalid 'tools': {to_fault(words).message}.",
            param="tools",
            code="invalid_schema",
        )
    said = "tools: all together they are too complex, no schema is enforced"
    return msgspec.structs.replace(verdict, held=loosest, warnings=(*warnings, said))


def _against_all(use: ToolUse) -> str:
    """Return what llguidance has against a call of any of the tools."""
    if not use.callable_tools:
        return ""
    return words_against(LLMatcher.grammar_from_lark(calls_grammar(use.callable_tools)))
