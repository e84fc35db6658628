"""A model's text: its tokenizer's settings and vocabulary, its marks and dialect."""

from __future__ import annotations
