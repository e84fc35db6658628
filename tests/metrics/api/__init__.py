"""Tests of the record of every request."""

from __future__ import annotations
