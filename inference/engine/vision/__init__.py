"""Images of a prompt: placed, processed, encoded, and read by the language model."""

from __future__ import annotations
