"""Messages in to prompt: content flattening, chat template, tokens."""

from __future__ import annotations
