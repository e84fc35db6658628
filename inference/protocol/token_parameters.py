"""What requests about the tokens of a prompt may carry, in vLLM's words."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from inference.core.requests import ChatMessage
from inference.protocol.declared import Bound, ErrorWords, Reads, Said
from inference.protocol.messages import READ_MESSAGES
from inference.protocol.objects import TemplateArguments
from inference.protocol.readings import to_token_ids
from inference.protocol.tool_fields import Tools


class TokensBody(Struct, kw_only=True):
    """What they all may carry."""

    model: Annotated[
        str | None,
        Bound(min_length=1, max_length="model_name_chars"),
        Said(
            "Whose tokenizer.",
            absent="the server's default model",
            refuses="a model that is not served: 404",
        ),
    ] = None


class TokenizeRequestBody(TokensBody, kw_only=True):
    """A text or a conversation; other names are ignored and listed."""

    prompt: Annotated[
        str | None,
        Bound(min_length=1, max_length="text_chars"),
        Said("A bare text.", absent="`messages`", refuses="with `messages`"),
    ] = None
    messages: Annotated[
        tuple[ChatMessage, ...],
        READ_MESSAGES,
        Said("A conversation, as chat takes it.", absent="`prompt`"),
    ] = ()
    tools: Tools = ()
    chat_template_kwargs: TemplateArguments = {}
    add_special_tokens: Annotated[
        bool | None,
        Said(
            "With the tokens that the tokenizer puts around a text.",
            absent="`true`; `false` with `messages`, whose template writes them",
            refuses="`true` with `messages`",
        ),
    ] = None
    add_generation_prompt: Annotated[
        bool | None,
        Said(
            "Begin an answer after the last message.",
            absent="`true`; `false` with `continue_final_message`",
            refuses="`true` with `continue_final_message`",
        ),
    ] = None
    continue_final_message: Annotated[
        bool,
        Said(
            "Go on from the last message's text.",
            absent="`false`",
            refuses="a last message of another role, or with calls",
        ),
    ] = False
    return_token_strs: Annotated[
        bool,
        Said("Tell the tokens as the vocabulary has them, too.", absent="`false`"),
    ] = False


class DetokenizeRequestBody(TokensBody, kw_only=True):
    """Token ids; other names are ignored and listed."""

    tokens: Annotated[
        tuple[int, ...],
        Reads(
            Annotated[list[int], Bound(min_length=1, max_length="token_id")],
            to_token_ids,
        ),
        ErrorWords("an array of token ids"),
        Said("Token ids of the model.", absent="a 400"),
    ]
