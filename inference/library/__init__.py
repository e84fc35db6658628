"""What lies on this machine: model folders, what they are, and how to get more."""

from __future__ import annotations
