"""The first staff user: made once, its password shown once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import connection, transaction

if TYPE_CHECKING:
    from datetime import datetime

ADMIN_NAME = "admin"


def ensure_admin() -> str | None:
    """Create the staff user `admin` where no superuser is; return its password.

    Of several first starts on one database, one does.
    """
    superusers = get_user_model().objects.filter(is_superuser=True)
    if superusers.exists():
        return None
    with transaction.atomic():
        _keep_others_from_users()
        return None if superusers.exists() else reset_admin()


def was_admin_made_since(moment: datetime) -> bool:
    """Whether a superuser has been there since `moment` only."""
    users = get_user_model().objects
    return users.filter(is_superuser=True, date_joined__gte=moment).exists()


def reset_admin() -> str:
    """Give the staff user `admin` a new password, and return it."""
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(username=ADMIN_NAME)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return password


def _keep_others_from_users() -> None:
    """Let nobody else write users until the transaction ends.

    SQLite has one writer at a time from the beginning of a transaction on.
    """
    if connection.vendor == "postgresql":
        table = connection.ops.quote_name(get_user_model()._meta.db_table)  # noqa: SLF001 -- documented Django API
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
