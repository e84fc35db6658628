"""A trace, and the ledger it writes to."""

from __future__ import annotations

from tests.core.conftest import clock, ledger, trace

__all__ = ["clock", "ledger", "trace"]
