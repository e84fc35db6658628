"""Prompts on their way into the batch."""

from __future__ import annotations
