"""Lists that are told page by page: owns how a page is asked for, and its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.protocol import faults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE_ITEMS = 20
PAGE_MOST = 100
_ORDERS = ("asc", "desc")
# Enough for every number that is one.
_NUMBER_CHARS = 18


class ItemPage(NamedTuple):
    """What of a list is asked for; newest first unless `is_ascending`."""

    limit: int = PAGE_ITEMS
    is_ascending: bool = False
    after: str = ""


def read_page(query: Mapping[str, str]) -> ItemPage:
    """Read which page the parameters of an address ask for.

    Raises:
        InvalidRequestError: names the parameter at fault.
    """
    order = query.get("order", "desc")
    if order not in _ORDERS:
        raise faults.none_of("order", order, _ORDERS)
    limit = read_number(query, "limit", PAGE_ITEMS)
    if limit < 1:
        raise faults.below("limit", "integer", ">= 1", limit)
    if limit > PAGE_MOST:
        raise faults.above("limit", "integer", f"<= {PAGE_MOST}", limit)
    return ItemPage(limit, order == "asc", query.get("after", ""))


def read_number(query: Mapping[str, str], name: str, absent: int) -> int:
    """Read a whole number, 0 or more, from the parameters of an address.

    Raises:
        InvalidRequestError: it is none.
    """
    text = query.get(name, "")
    if not text:
        return absent
    if not (text.isascii() and text.isdecimal()) or len(text) > _NUMBER_CHARS:
        raise faults.invalid(name, f"'{faults.shown(text)}' is no whole number >= 0.")
    return int(text)


def read_switch(query: Mapping[str, str], name: str) -> bool:
    """Read a yes or no from the parameters of an address.

    Raises:
        InvalidRequestError: it is neither.
    """
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise faults.none_of(name, text, ("true", "false"))
    return text == "true"


def list_body(items: Sequence[dict[str, Any]], page: ItemPage) -> dict[str, Any]:
    """Return one page of items that are oldest first.

    Raises:
        InvalidRequestError: there is none to begin after.
    """
    ordered = items if page.is_ascending else items[::-1]
    begin = 0
    if page.after:
        places = (at for at, item in enumerate(ordered) if item["id"] == page.after)
        begin = next(places, -1) + 1
        if not begin:
            shown = faults.shown(page.after)
            raise faults.invalid("after", f"there is no item '{shown}'.")
    data = ordered[begin : begin + page.limit]
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": begin + page.limit < len(ordered),
    }
