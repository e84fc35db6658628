"""How numbers are written for people: with units, short, and never a bare float."""

from __future__ import annotations

NOTHING = "\N{EN DASH}"


def seconds_text(seconds: float | None) -> str:
    """Write a duration: `3 ms`, `1.79 s`, `17.2 s`, `2 min 5 s`, `1 h 4 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return _long_text(round(seconds))


def rate_text(tokens_per_s: float | None) -> str:
    """Write a speed in tokens per second without its unit: `31.2`, `212`."""
    if tokens_per_s is None:
        return NOTHING
    if tokens_per_s < 100:
        return f"{tokens_per_s:.1f}"
    return f"{tokens_per_s:,.0f}"


def count_text(number: int | None) -> str:
    """Write a whole number with thousands apart: `8,210`."""
    return NOTHING if number is None else f"{number:,}"


def share_text(part: float, whole: float) -> str:
    """Write a part as a percentage: `75 %`."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def size_text(size_bytes: float) -> str:
    """Write an amount of memory: `640.0 MB`, `39.70 GB`; as errors do, by thousands."""
    if size_bytes < 1e8:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e9:.2f} GB"


def figure_text(value: object) -> str:
    """Write any figure: numbers with thousands apart, all else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.12g}"


def _long_text(seconds: int) -> str:
    minutes, rest_s = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    hours, rest_min = divmod(minutes, 60)
    return f"{hours} h {rest_min} min"
