"""What an answer has to match, in its model's own form: compiled for guides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.core.requests import GrammarKind
from inference.dialects.call_forms import forced_calls, marked_calls
from inference.dialects.call_rules import CallRules
from inference.dialects.dialect import Opener
from inference.dialects.json_calls import JSONCalls
from inference.engines.followers import CallGuide, RequiredAnswer
from inference.structure.calls import calls_grammar
from inference.structure.fitting import fits
from inference.structure.grammars import to_llguidance
from inference.structure.patterns import CannotWriteError

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from inference.core.requests import Grammar, ToolUse
    from inference.dialects.dialect import CallForm, Dialect
    from inference.engines.formats import NativeCalls
    from inference.engines.vocabulary import Vocabulary

# Calls that one forced answer may hold.
CALLS_MOST = 8
_BARE_CALLS = Opener("", JSONCalls(separators=("\n",)), keeps=True)
_UNHELD = "tools: calls of these are not held to a grammar in this model's own form"


@dataclass(frozen=True, slots=True)
class AnswerForms:
    """Compiles what the answers to one prompt look like.

    `native` is how the model calls, where it does not call in words; `whole` tells
    whether forced calls are plain JSON, for want of it.
    """

    vocabulary: Vocabulary
    dialect: Dialect | None
    native: NativeCalls | None
    tools: ToolUse | None
    grammar: Grammar | None

    @property
    def resumes(self) -> str:
        """What stands between thinking and an answer."""
        return self.dialect.resumes if self.dialect else ""

    def answer(self, resumes: str = "") -> tuple[RequiredAnswer | None, Opener | None]:
        """Return what the answer has to match, and who reads it as a whole.

        Raises:
            InvalidRequestError: a grammar is refused, naming its parameter.
        """
        tools, grammar = self.tools, self.grammar
        if tools is not None and (tools.is_forced or grammar is not None):
            calls, whole = self._calls(tools, resumes)
            if tools.is_forced or grammar is None:
                return RequiredAnswer(calls=calls), whole
            return RequiredAnswer(self._text(grammar, resumes), calls), whole
        if grammar is None:
            return None, None
        return RequiredAnswer(self._text(grammar, resumes)), None

    def marks(self) -> tuple[tuple[CallGuide, ...], tuple[str, ...]]:
        """Return how free text goes on behind marks of calls, and warnings."""
        if self.native is None or self.tools is None:
            return (), ()
        found: list[CallGuide] = []
        warnings: list[str] = []
        for start, form in self.native.marks:
            try:
                source = self._marked(form, self.tools)
            except CannotWriteError:
                warnings.append(_UNHELD)
                continue
            body = self.vocabulary.matcher_for(source, param="tools")
            found.append(CallGuide(start, body, begins_line=form.keeps))
        return tuple(found), tuple(dict.fromkeys(warnings))

    def head(self) -> LLMatcher | None:
        """Return what may follow thinking that was cut off: a text's head, or a call."""
        dialect = self.dialect
        if dialect is None or not dialect.resumes:
            return None
        text = CallRules(self.vocabulary.cut, fits).literal(
            dialect.resumes + dialect.content
        )
        source = f"start: {text}"
        if self.tools is not None and self.native is not None:
            call = self._forced(self.native.form, self.tools, dialect.resumes)
            source = f"start: {text} | @calls"
            return self._joined(source, calls={"lark_grammar": call}, param="tools")
        return self.vocabulary.matcher_for(source, param="tools")

    @property
    def streams(self) -> bool:
        """Whether calls that a grammar holds are sure to be read.

        Values that are written as texts and only loosely held may be of another type.
        """
        if self.native is None or self.tools is None:
            return True
        return not self.native.form.is_typed or all(
            tool.enforced is None for tool in self.tools.callable_tools
        )

    # --- grammars

    def _calls(self, tools: ToolUse, resumes: str) -> tuple[LLMatcher, Opener | None]:
        if self.native is not None:
            try:
                source = self._forced(self.native.form, tools, resumes)
            except CannotWriteError:
                pass
            else:
                return self.vocabulary.matcher_for(source, param="tools"), None
        source = calls_grammar(tools.callable_tools, most=_most(tools))
        return self.vocabulary.matcher_for(source, param="tools"), _BARE_CALLS

    def _forced(self, form: CallForm, tools: ToolUse, resumes: str) -> str:
        return forced_calls(
            form,
            tools.callable_tools,
            self.vocabulary.cut,
            fits,
            most=_most(tools),
            resumes=resumes,
        )

    def _marked(self, form: CallForm, tools: ToolUse) -> str:
        cut, most = self.vocabulary.cut, _most(tools)
        return marked_calls(form, tools.callable_tools, cut, fits, most=most)

    def _text(self, grammar: Grammar, resumes: str) -> LLMatcher:
        source = to_llguidance(grammar)
        before = resumes + (self.dialect.content if self.dialect else "")
        if not before:
            return self.vocabulary.matcher_for(source, param=grammar.param)
        if grammar.kind is GrammarKind.LARK:
            inner: dict[str, Any] = {"lark_grammar": source}
        else:
            inner = json.loads(source)["grammars"][0]
        head = CallRules(self.vocabulary.cut, fits).literal(before)
        return self._joined(f"start: {head} @text", text=inner, param=grammar.param)

    def _joined(self, start: str, *, param: str, **named: dict[str, Any]) -> LLMatcher:
        """Compile a grammar that refers to others by their names."""
        parts: list[dict[str, Any]] = [{"name": "main", "lark_grammar": start}]
        parts += [{**part, "name": name} for name, part in named.items()]
        return self.vocabulary.matcher_for(json.dumps({"grammars": parts}), param=param)


def _most(tools: ToolUse) -> int:
    return CALLS_MOST if tools.parallel and not tools.function else 1
