"""One sequence in the worker, as every room above knows it."""

from __future__ import annotations
