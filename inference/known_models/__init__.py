"""Every model a request may name: entries, the file of models, and the library."""

from __future__ import annotations

from inference.known_models.catalog import KnownModels
from inference.known_models.settings import file_problem
from inference.known_models.sources import Sources, shared_library

__all__ = ["KnownModels", "Sources", "file_problem", "shared_library"]
