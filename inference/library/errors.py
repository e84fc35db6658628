"""Why a folder cannot be used as a model."""

from __future__ import annotations


class LibraryError(ValueError):
    """What is asked for is not a model of this machine; the message is one line."""
