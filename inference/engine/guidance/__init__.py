"""What a sequence may say next: grammars, forced tokens, masks over a vocabulary."""

from __future__ import annotations
