"""Requests about the tokens of a prompt: which prompt, or a 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.core.requests import (
    ChatPrompt,
    Count,
    CountRequest,
    TextPrompt,
    TokenPrompt,
)
from inference.faces.chat.body import check_continued
from inference.faces.chat.body import to_request as to_chat_request
from inference.protocol import faults
from inference.protocol.body import read_body
from inference.protocol.recorded import recorded_params, shown_names
from inference.protocol.token_parameters import (
    DetokenizeRequestBody,
    TokenizeRequestBody,
)
from inference.protocol.tool_fields import Choice, to_tool_use

if TYPE_CHECKING:
    from inference.core.limits import Limits
    from inference.core.requests import Prompt
    from inference.protocol.token_parameters import TokensBody

# What the record keeps elsewhere, or not at all.
_UNRECORDED = ("prompt", "messages", "tokens", "model")


def to_tokenize(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> tuple[CountRequest, bool]:
    """Validate `body`; also return whether the tokens are to be told by name.

    Raises:
        InvalidRequestError: names the first parameter that cannot be honoured;
            where `strict`, also all those that nobody knows.
    """
    asked, ignored = read_body(TokenizeRequestBody, body, limits=limits)
    request = _request(
        asked, _to_prompt(asked), body, shown_names(ignored, strict=strict)
    )
    return request, asked.return_token_strs


def to_detokenize(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> CountRequest:
    """Validate token ids whose text is asked for.

    Raises:
        InvalidRequestError: as in `to_tokenize`.
    """
    asked, ignored = read_body(DetokenizeRequestBody, body, limits=limits)
    prompt = TokenPrompt(asked.tokens)
    return _request(asked, prompt, body, shown_names(ignored, strict=strict))


def to_render(
    body: dict[str, Any], *, limits: Limits, strict: bool = False
) -> CountRequest:
    """Validate a chat request whose prompt is asked for.

    Raises:
        InvalidRequestError: whatever chat would refuse.
    """
    request, _ = to_chat_request(body, limits=limits, strict=strict)
    (prompt,) = request.work.prompts
    work = Count(prompt=prompt, grammar=request.work.grammar, spells=True)
    return CountRequest(work=work, model=request.model, params=request.params)


def _to_prompt(asked: TokenizeRequestBody) -> Prompt:
    if asked.prompt is not None and asked.messages:
        raise faults.invalid("messages", "cannot be sent together with 'prompt'.")
    if asked.prompt is not None:
        return TextPrompt(
            asked.prompt, adds_special=asked.add_special_tokens is not False
        )
    if not asked.messages:
        raise faults.missing("prompt")
    if asked.add_special_tokens:
        why = "cannot be true with 'messages': the chat template writes them."
        raise faults.unsupported("add_special_tokens", why)
    check_continued(asked)
    begins, continues = asked.add_generation_prompt, asked.continue_final_message
    return ChatPrompt(
        messages=asked.messages,
        tools=to_tool_use(asked.tools, Choice(), parallel=True),
        template_kwargs=asked.chat_template_kwargs,
        add_generation_prompt=not continues if begins is None else begins,
        continue_final_message=continues,
    )


def _request(
    asked: TokensBody, prompt: Prompt, body: dict[str, Any], ignored: list[str]
) -> CountRequest:
    return CountRequest(
        work=Count(prompt=prompt, spells=not isinstance(prompt, TokenPrompt)),
        model=asked.model,
        params=recorded_params(
            type(asked), body, ignored=ignored, leaving_out=_UNRECORDED
        ),
    )
