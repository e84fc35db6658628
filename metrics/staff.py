"""Who sits before a page: staff by their session, and what they may do.

Blocks on the database: call it in a thread.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error
from django.http import HttpRequest, parse_cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("metrics.staff")

# What the list of requests shows, and what unloading a model does to requests.
WATCH = "metrics.view_requestlog"
CANCEL = "inference.change_modelentry"


@dataclass(frozen=True, slots=True)
class Staff:
    """One who is logged in to the admin."""

    name: str
    may_watch: bool
    may_cancel: bool


def session_key(headers: Mapping[str, str]) -> str:
    """Return the key of the session that a browser sent, or ""."""
    cookies = parse_cookie(headers.get("cookie", ""))
    return cookies.get(settings.SESSION_COOKIE_NAME, "")


def staff_of(key: str) -> Staff | None:
    """Return whose session it is, if it lives and its user is staff."""
    if not key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    try:
        user = get_user(request)
        if not (user.is_active and user.is_staff):
            return None
        return Staff(user.get_username(), user.has_perm(WATCH), user.has_perm(CANCEL))
    except Error as error:
        logger.warning("A session could not be looked up: %s", error)
        return None


def is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of this server opened the connection.

    A session's cookie travels with connections that other pages open, also from
    other ports of this machine; so the whole origin has to be this server's, or one
    that is trusted with forms.
    """
    origin = headers.get("origin", "").lower()
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    return parts.netloc == headers.get("host", "").lower() or any(
        origin == trusted.lower() for trusted in settings.CSRF_TRUSTED_ORIGINS
    )
