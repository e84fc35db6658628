"""What an answer must look like: schemas and calls to llguidance grammars."""

from __future__ import annotations
