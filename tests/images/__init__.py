"""Tests of inference/images."""

from __future__ import annotations
