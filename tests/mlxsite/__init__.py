"""Tests of settings and start-up."""

from __future__ import annotations
