"""What other programs read of the record and of the server: `/api/` and `/metrics`."""

from __future__ import annotations
