"""From logits to tokens, for all rows of a batch at once."""

from __future__ import annotations
