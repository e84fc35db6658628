"""The admin's login: so many failures a minute from an address, told in events.

Views run on the loop, so nothing here is locked.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from inference.core.limits import DEFAULT_LIMITS
from inference.runtime.app import NotInstalledError, current_app
from inference.runtime.unauthenticated import MinuteBudget

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

logger = logging.getLogger("mlx_server.login")

EVENT = "login_failed"
GATHER_S = 10.0
ADDRESSES_TOLD = 10
# The first failures of a wave from so many addresses are counted one by one.
ADDRESSES_KEPT = 1_000


class FailedLogins:
    """Gathers failures, and tells of them in one event for some seconds together."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, address: str, *, end: str = "failed") -> None:
        """Count an attempt that failed, or was refused unread."""
        self._ends[end] += 1
        if address in self._by_address or len(self._by_address) < ADDRESSES_KEPT:
            self._by_address[address] += 1
        if self._timer is None:
            logger.warning("A login to the admin failed, from %s", address)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(GATHER_S, self.tell)

    def tell(self) -> None:
        """Publish what was gathered, if anything was."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        data = {
            "failed": self._ends["failed"],
            "refused": self._ends["refused"],
            "addresses": len(self._by_address),
            "most_from": dict(self._by_address.most_common(ADDRESSES_TOLD)),
        }
        self._ends.clear()
        self._by_address.clear()
        with suppress(NotInstalledError):
            current_app().service.publish(EVENT, detail=_told(data), data=data)


def _told(data: dict[str, Any]) -> str:
    first, *more = data["most_from"]
    others = f" and {data['addresses'] - 1} more" if more else ""
    return (
        f"{data['failed']} failed, {data['refused']} refused unread, "
        f"from {first}{others}"
    )


attempts = MinuteBudget(DEFAULT_LIMITS.failed_logins_per_minute)
failures = FailedLogins()


@never_cache
async def login(request: HttpRequest) -> HttpResponseBase:
    """Answer as the admin does; refuse an address that has failed too often.

    Attempts under way count as failed until they are not, and for good where the
    client leaves meanwhile.
    """
    if request.method != "POST":
        return await _login(request)
    address = str(request.META.get("REMOTE_ADDR") or "")
    if not attempts.take(address):
        failures.add(address, end="refused")
        return await _refuse(request)
    response = await _login(request)
    if response.status_code == 302:
        attempts.give_back(address)
    else:
        failures.add(address)
    return response


async def _refuse(request: HttpRequest) -> HttpResponseBase:
    wait_s = math.ceil(attempts.left_s)
    context = {"title": "Too many failed logins", "wait_s": wait_s}
    response = await _render(request, "site/login_refused.html", context, status=429)
    response.headers["Retry-After"] = str(wait_s)
    return response


# Passwords are checked and pages filled in threads.
_login = sync_to_async(admin.site.login)
_render = sync_to_async(render)

urlpatterns = [path("admin/login/", login)]
