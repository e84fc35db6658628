"""Amounts as people read them."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size_in_words(size_bytes: int) -> str:
    """Return an amount of memory to three digits, in decimal units: `4.28 GB`."""
    amount, unit = float(size_bytes), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    digits = 0 if unit == 0 else max(0, 3 - len(str(int(amount))))
    return f"{amount:,.{digits}f} {_UNITS[unit]}"


def printable(text: str) -> str:
    """Return text that is safe on a terminal, whatever a file was named."""
    return "".join(char if char.isprintable() else "�" for char in text)
