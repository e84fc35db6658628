"""From what a prompt asks for to the text that goes out, on the sender thread."""

from __future__ import annotations
