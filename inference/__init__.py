"""From an OpenAI-shaped request to tokens: everything but the record of it."""

from __future__ import annotations
