"""The interactive shell: a conversation with models, and commands beside it."""

from __future__ import annotations
