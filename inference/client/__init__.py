"""What talks to a server from outside: load, questions, the terminal's clients."""

from __future__ import annotations
