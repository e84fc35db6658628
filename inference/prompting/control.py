"""Control tokens in what people write: text for the model, and no turns.

A user may write `<|im_end|>`, and so may a document or a tool. Each such text gives
way to a placeholder before a template sees it, and is back in its place when the
prompt is encoded: there as the text that it is. So only what a template writes itself
is a control token, and no template takes what a user wrote for a marker.

An assistant's turn keeps the markers of thinking and of calls in its content, since
the model itself wrote them; those of turns become text there too.
"""

from __future__ import annotations

import functools
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.requests import TextPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inference.core.requests import ChatMessage, ChatPrompt, ToolCall, ToolUse

# Nobody outside can know the number, so none can be forged. Whatever a template does
# to texts, it leaves digits alone.
_NONCE = f"{secrets.randbelow(9 * 10**15) + 10**15}"
_PLACEHOLDER = re.compile(f"{_NONCE}-([0-9]+)-{_NONCE}")
# Places in a picture are for users to write.
_FOR_USERS = re.compile(r"box|point|quad|(?:^|\W|_)ref(?:\W|_|$)|loc\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ControlTokens:
    """The texts of one model's control tokens; `ids` are what they must not become.

    `pattern` finds any, `turns` those that an assistant's content may not hold
    either. A placeholder holds a text's place in `texts`.
    """

    texts: tuple[str, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None
    turns: re.Pattern[str] | None = None
    ids: frozenset[int] = frozenset()

    def marked(self, prompt: ChatPrompt) -> ChatPrompt:
        """Return a prompt with placeholders for the control tokens in its texts."""
        if self.pattern is None:
            return prompt
        return msgspec.structs.replace(
            prompt,
            messages=tuple(self._message(message) for message in prompt.messages),
            tools=None if prompt.tools is None else self._tools(prompt.tools),
            template_kwargs=_walked(prompt.template_kwargs, self._all),
        )

    def _message(self, message: ChatMessage) -> ChatMessage:
        change = self._turns if message.role == "assistant" else self._all
        content = message.content
        # Texts side by side become one, and half a token may be in each.
        whole = message.text
        if message.has_images:
            content = tuple(
                TextPart(change(part.text)) if isinstance(part, TextPart) else part
                for part in content
            )
        elif (changed := change(whole)) != whole:
            content = (TextPart(changed),)
        return msgspec.structs.replace(
            message,
            content=content,
            name=None if message.name is None else self._all(message.name),
            tool_calls=tuple(map(self._call, message.tool_calls)),
            reasoning=self._all(message.reasoning),
        )

    def _call(self, call: ToolCall) -> ToolCall:
        arguments = self._all(call.arguments)
        try:
            given = json.loads(call.arguments)
        except ValueError:
            pass
        else:
            # JSON spells a token in many ways, and is one again once it is read.
            changed = _walked(given, self._all)
            if changed != given:
                arguments = json.dumps(changed, ensure_ascii=False)
        return msgspec.structs.replace(
            call, name=self._all(call.name), arguments=arguments
        )

    def _tools(self, use: ToolUse) -> ToolUse:
        tools = tuple(
            msgspec.structs.replace(
                tool,
                description=self._all(tool.description),
                parameters=_walked(tool.parameters, self._all),
            )
            for tool in use.tools
        )
        return msgspec.structs.replace(use, tools=tools)

    def _all(self, text: str) -> str:
        return self._placed(self.pattern, text)

    def _turns(self, text: str) -> str:
        return self._placed(self.turns, text)

    def _placed(self, pattern: re.Pattern[str] | None, text: str) -> str:
        if pattern is None:
            return text
        places = self.places
        return pattern.sub(
            lambda found: f"{_NONCE}-{places[found.group()]}-{_NONCE}", text
        )

    def unmarked(self, text: str) -> str:
        """Return a text as it was written, without placeholders."""
        return "".join(piece for piece, _ in self.pieces(text))

    def blanked(self, text: str) -> str:
        """Return a text whose placeholders are control tokens with a blank inside.

        They read nearly the same, and whoever tokenizes this takes them for no
        control tokens.
        """
        return "".join(
            _with_blank(piece) if is_control else piece
            for piece, is_control in self.pieces(text)
        )

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Return what placeholders stand for, and what stands around them."""
        pieces, start = [], 0
        for found in _PLACEHOLDER.finditer(text):
            pieces.append((text[start : found.start()], False))
            pieces.append((self.texts[int(found.group(1))], True))
            start = found.end()
        pieces.append((text[start:], False))
        return [piece for piece in pieces if piece[0]]


NO_CONTROL = ControlTokens()


def control_tokens_of(
    tokenizer: Any, template: str, *, own: Iterable[str] = ()
) -> ControlTokens:
    """Return what a tokenizer would take for more than text.

    Those are its special tokens, and further added ones that the template writes.
    `own` are the markers of the model's thinking and of its calls.
    """
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if not isinstance(added, dict):
        return NO_CONTROL
    own = {text for text in own if text}
    known: dict[str, int] = {}
    special = set()
    for number, token in added.items():
        text = str(getattr(token, "content", token))
        if _is_words(text) or _FOR_USERS.search(text):
            continue
        is_special = bool(getattr(token, "special", False))
        if is_special or text in own or text in template:
            known[text] = number
        if is_special and text not in own:
            special.add(text)
    if not known:
        return NO_CONTROL
    return ControlTokens(
        texts=tuple(known),
        places={text: at for at, text in enumerate(known)},
        pattern=_any_of(known),
        turns=_any_of(special),
        ids=frozenset(known.values()),
    )


def encoded(
    tokenizer: Any, text: str, control: ControlTokens, **special: Any
) -> list[int]:
    """Return a rendered text's tokens; placeholders become no control tokens."""
    if _NONCE not in text:
        return list(tokenizer.encode(text, **special))
    if getattr(tokenizer, "reads_whole", False):
        return list(tokenizer.encode(control.blanked(text), **special))
    reader = _Reader(tokenizer, control)
    tokens: list[int] = []
    for at, (piece, is_control) in enumerate(control.pieces(text)):
        if at == 0 and not is_control:
            tokens += tokenizer.encode(piece, **special)
        else:
            tokens += reader.tokens(piece, is_control)
    return tokens


class _Reader:
    """Encodes the pieces of one prompt, each that comes again only once.

    Tokenizers of SentencePiece's kind put a blank before a text, so each is encoded
    behind a newline, that is then taken away.
    """

    def __init__(self, tokenizer: Any, control: ControlTokens) -> None:
        self._tokenizer = tokenizer
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        self._control = control
        self._newline = self._encode("\n")
        self.tokens = functools.cache(self._tokens)

    def _tokens(self, text: str, is_control: bool) -> list[int]:
        if not is_control:
            return self._behind(text, self._encode)
        if self._backend is not None:
            tokens = self._behind(text, functools.partial(_plainly, self._backend))
            if tokens and not self._control.ids.intersection(tokens):
                return tokens
        return self._behind(_with_blank(text), self._encode)

    def _behind(self, text: str, encode: Callable[[str], list[int]]) -> list[int]:
        tokens, newline = encode(f"\n{text}"), self._newline
        if newline and tokens[: len(newline)] == newline:
            return tokens[len(newline) :]
        return encode(text)

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def _plainly(backend: Any, text: str) -> list[int]:
    """Encode without looking for added tokens: they come before all else."""
    if backend.normalizer is not None:
        text = backend.normalizer.normalize_str(text)
    words = [text]
    if backend.pre_tokenizer is not None:
        words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
    return [token.id for word in words for token in backend.model.tokenize(word)]


def _is_words(text: str) -> bool:
    """Whether it is what anybody may write: a word, or blanks."""
    return len(text) < 2 or text.isspace() or text.isalnum()


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds the longest of some texts, however many there are.

    Thousands side by side would be tried one by one at each `<` of a prompt, so
    those that begin alike are tried together.
    """
    root: dict[str, Any] = {}
    for text in texts:
        node = root
        for character in text:
            node = node.setdefault(character, {})
        node[""] = {}
    return re.compile(_tree(root)) if root else None


def _tree(node: dict[str, Any]) -> str:
    branches = [
        re.escape(character) + _tree(after)
        for character, after in node.items()
        if character
    ]
    if not branches:
        return ""
    either = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{either})?" if "" in node else either


def _walked(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _walked(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walked(item, change) for item in value]
    return value


def _with_blank(text: str) -> str:
    return f"{text[0]} {text[1:]}"
