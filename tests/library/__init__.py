"""Tests of what lies on this machine."""

from __future__ import annotations
