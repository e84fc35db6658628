"""Models made from their folders: what reads a model's files and tries it out."""

from __future__ import annotations
