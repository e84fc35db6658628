"""Figures and names in words, each on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from inference.client.escapes import harmless

if TYPE_CHECKING:
    from inference.client.answers import Answer, Figures

CUT_OFF = "cut off at the limit of tokens"


def one_line(text: Any) -> str:
    """Return text from outside on one line, harmless."""
    return " ".join(harmless(str(text)).split())


def size(size_bytes: int | None) -> str:
    """Return an amount of memory; a dash where it is not known."""
    return decimal(size_bytes) if size_bytes else "-"


def duration(seconds: float) -> str:
    """Return a time to two figures or so: `0.21 s`, `14 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = int(seconds) // 60
    if minutes < 100:
        return f"{minutes} min {int(seconds) % 60:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def figures_in_words(figures: Figures) -> list[str]:
    """Return length, speed and time to the first token (TTFT), as far as they are known."""
    unit = "token" if figures.tokens == 1 else "tokens"
    about = "" if figures.is_counted else "about "
    words = [f"{about}{figures.tokens:,} {unit}"]
    if figures.tokens_per_s is not None:
        words.append(f"{figures.tokens_per_s:,.1f} tok/s")
    if figures.ttft_s is not None:
        words.append(f"TTFT {duration(figures.ttft_s)}")
    return words


def ending_in_words(answer: Answer) -> list[str]:
    """Return what is to be said of how an answer ended; nothing where all is well."""
    match answer.finish_reason:
        case "length":
            return [CUT_OFF]
        case "" | "stop":
            return []
        case other:
            return [one_line(other)]
