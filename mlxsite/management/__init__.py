"""Management commands of the composing app."""

from __future__ import annotations
