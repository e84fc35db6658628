"""Text out to meaning: small parsers that are fed and never fetch."""

from __future__ import annotations
