"""What is kept for the caller, or the 404 that says that it is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import NotFoundError
from inference.protocol import faults

if TYPE_CHECKING:
    from inference.core.stored import ResponseStore, StoredConversation, StoredResponse
    from inference.exchange.call import Call
    from inference.runtime.background import BackgroundAnswer

# What this server has under way nowhere: its client left as it began, say.
_GIVEN_UP = {
    "status": "failed",
    "error": {"code": "server_error", "message": "The response was given up."},
}
_ID = re.compile(r"(resp|conv)_[A-Za-z0-9_-]{1,80}")


def store_of(call: Call) -> ResponseStore:
    """Return where responses are kept.

    Raises:
        NotFoundError: they are not.
    """
    store = call.app.responses
    if store is None or not store.retention_s:
        raise NotFoundError(
            "Responses and conversations are not stored here: RESPONSES_RETENTION is 0."
        )
    return store


async def kept_response(call: Call, response_id: str) -> StoredResponse:
    """Return a response that the caller's key holds, as it is by now.

    Raises:
        InferenceError: there is none, or that is no id of one.
    """
    check_id(response_id, "resp", "response_id")
    # First, for what ends meanwhile is kept before it is no longer under way.
    answer = under_way(call, response_id)
    found = await store_of(call).response(response_id, key_name(call))
    if found is None:
        raise no_response(response_id)
    return _as_it_is(found, answer, call.app.identity.boot_id)


def under_way(call: Call, response_id: str) -> BackgroundAnswer | None:
    """Return an answer that goes on in this server's background, if it does."""
    return call.app.background.find(response_id, key_name(call))


def _as_it_is(
    kept: StoredResponse, answer: BackgroundAnswer | None, boot_id: str
) -> StoredResponse:
    """Return what is kept with the state that it is in by now."""
    if not kept.is_under_way:
        return kept
    if answer is not None:
        state: dict[str, Any] = {"status": "in_progress"} if answer.has_begun else {}
    else:
        state = _GIVEN_UP if kept.boot_id == boot_id else {}
    return msgspec.structs.replace(kept, body=kept.body | state)


async def kept_conversation(call: Call, conversation_id: str) -> StoredConversation:
    """Return a conversation that the caller's key holds.

    Raises:
        InferenceError: there is none, or that is no id of one.
    """
    check_id(conversation_id, "conv", "conversation_id")
    found = await store_of(call).conversation(conversation_id, key_name(call))
    if found is None:
        raise no_conversation(conversation_id)
    return found


def key_name(call: Call) -> str:
    """Return the name of the key that let the call in."""
    return call.trace.record.key_name


def check_id(text: str, prefix: str, param: str) -> None:
    """Refuse what can be no id.

    Raises:
        InvalidRequestError: names the parameter.
    """
    found = _ID.fullmatch(text)
    if found is None or found[1] != prefix:
        why = f"'{faults.shown(text)}'. Expected an ID that begins with '{prefix}_'."
        raise faults.invalid(param, why)


def no_response(response_id: str) -> NotFoundError:
    """There is no such response, for this key."""
    return NotFoundError(f"Response with id '{response_id}' not found.")


def no_conversation(conversation_id: str) -> NotFoundError:
    """There is no such conversation, for this key."""
    return NotFoundError(f"Conversation with id '{conversation_id}' not found.")
