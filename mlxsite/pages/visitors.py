"""Who looks at a page, as far as it decides what the page tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from metrics.staff import WATCH

if TYPE_CHECKING:
    from django.http import HttpRequest

    from inference.runtime.app import App


@dataclass(frozen=True, slots=True)
class Visitor:
    """One who opened a page; `needs_key`: the server asks for a key."""

    needs_key: bool
    is_staff: bool
    may_watch: bool

    @property
    def is_unauthenticated(self) -> bool:
        """Whether `/v1` would refuse this one without a key."""
        return self.needs_key and not self.is_staff


async def visitor_of(request: HttpRequest, app: App | None) -> Visitor:
    """Return who asks; only a browser that sends a session costs a query."""
    user = await request.auser()
    is_staff = user.is_active and user.is_staff
    return Visitor(
        needs_key=app is not None and app.keys.required,
        is_staff=is_staff,
        may_watch=is_staff and await sync_to_async(user.has_perm)(WATCH),
    )
