"""Staff may chat from a page of this server: their session stands in for a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.db import database_sync_to_async

from metrics.staff import is_own_page, session_key, staff_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class StaffSessions:
    """Implements `core.callers.SessionCheck` with the admin's sessions."""

    async def name_of(self, headers: Mapping[str, str]) -> str | None:
        """Return `staff:NAME`, which no key is called; `None` for anybody else."""
        session = session_key(headers)
        if not session or not is_own_page(headers):
            return None
        staff = await database_sync_to_async(staff_of)(session)
        return f"staff:{staff.name}" if staff else None
