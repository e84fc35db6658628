"""Programs that the tests start, fill up and kill."""

from __future__ import annotations
