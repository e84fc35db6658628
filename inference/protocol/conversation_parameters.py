"""What the bodies of conversations may carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Struct

from inference.protocol.declared import Bound, ErrorWords, Reads, Said
from inference.protocol.objects import Metadata
from inference.protocol.response_items import KNOWN_ITEMS, AnyItem, ItemBody

if TYPE_CHECKING:
    from inference.core.limits import Limits


def _to_tuple(
    sent: list[ItemBody], _path: str, _limits: Limits
) -> tuple[ItemBody, ...]:
    return tuple(sent)


Items = Annotated[
    tuple[ItemBody, ...],
    KNOWN_ITEMS,
    Reads(
        Annotated[
            list[AnyItem],
            Bound(max_length="conversation_items"),
            ErrorWords("an array of objects"),
        ],
        _to_tuple,
    ),
    Said(
        "What was said, as items of a response's `input`. Items of other types are "
        "ignored and listed.",
        takes="array of up to {0.conversation_items} items",
        refuses="a reference to what is not kept",
    ),
]


class ConversationRequestBody(Struct, kw_only=True):
    """A conversation that begins."""

    items: Items = ()
    metadata: Metadata = {}


class ConversationUpdateBody(Struct, kw_only=True):
    """What is noted on a conversation from now on."""

    metadata: Metadata


class ConversationItemsBody(Struct, kw_only=True):
    """What comes to the end of a conversation."""

    items: Items
