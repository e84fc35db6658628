"""A small model that guesses tokens, and how deep it pays to guess."""

from __future__ import annotations
