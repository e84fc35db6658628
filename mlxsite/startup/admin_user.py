"""The first staff user: made once, its password shown once."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model

ADMIN_NAME = "admin"


def ensure_admin() -> str | None:
    """Create the staff user `admin` where no superuser is; return its password."""
    if get_user_model().objects.filter(is_superuser=True).exists():
        return None
    return reset_admin()


def reset_admin() -> str:
    """Give the staff user `admin` a new password, and return it."""
    password = secrets.token_urlsafe(12)
    user, _ = get_user_model().objects.get_or_create(username=ADMIN_NAME)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    return password
