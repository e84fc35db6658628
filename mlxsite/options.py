"""Every number an operator may set: variable, default and bounds, in one table."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.core.exceptions import ImproperlyConfigured

from inference.core.limits import DEFAULT_LIMITS, KIB, MIB
from inference.core.origins import SETTING, AllowedOrigins
from inference.images.hosts import HostList
from mlxsite.server.proxies import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Callable

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between `low` and `high`, both included."""

    default: int
    low: int
    high: int

    def parse(self, text: str) -> int:
        """Return the number in `text`.

        Raises:
            ValueError: with words that follow "PORT ".
        """
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"must be a whole number, not {text!r}") from None
        return _within(number, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration in seconds between `low` and `high`, both included."""

    default: float
    low: float
    high: float

    def parse(self, text: str) -> float:
        """Return the duration in `text`.

        Raises:
            ValueError: with words that follow "QUEUE_TIMEOUT ".
        """
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"must be a number of seconds, not {text!r}") from None
        return _within(number, self.low, self.high)


UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS |= {f"{unit}I": 1024**n for n, unit in enumerate(("K", "M", "G", "T"), 1)}


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of memory: bytes, or a number with a unit such as 24GB or 20GiB."""

    default: int
    low: int
    high: int

    def parse(self, text: str) -> int:
        """Return the bytes that `text` means.

        Raises:
            ValueError: with words that follow "MEMORY_BUDGET ".
        """
        found = re.fullmatch(r"([0-9.]+)\s*([KMGT]I?)?B?", text.strip().upper())
        try:
            number = float(found[1]) if found else float("nan")
            size = int(number * UNITS[(found[2] if found else "") or ""])
        except ValueError:
            raise ValueError(
                f"must be a size such as 24GB or 20GiB, not {text!r}"
            ) from None
        return _within(size, self.low, self.high)


def _within(number: N, low: N, high: N) -> N:
    if not low <= number <= high:
        raise ValueError(f"must be between {low} and {high}, not {number}")
    return number


def bounded(parse: Callable[[str], N]) -> Callable[[str], N]:
    """Make argparse show why `parse` refused."""

    def read(text: str) -> N:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


DAY_S = 86_400

WHOLE = {
    "PORT": Whole(8000, 1, 65_535),
    "MAX_CONCURRENCY": Whole(32, 1, 1024),
    "QUEUE_SIZE": Whole(100, 0, 100_000),
    "DEFAULT_MAX_TOKENS": Whole(4096, 1, 10_000_000),
    "CONNECTIONS_PER_CLIENT": Whole(256, 1, 1_000_000),
    "QUARANTINE_AFTER": Whole(5, 1, 1000),
    # Of all images of a request together.
    "IMAGE_PIXELS": Whole(DEFAULT_LIMITS.images_pixels, 1, 10_000_000_000),
    # Days; 0: for ever.
    "RETENTION_DAYS": Whole(30, 0, 36_500),
    "MINUTE_RETENTION_DAYS": Whole(90, 0, 36_500),
    "HOUR_RETENTION_DAYS": Whole(0, 0, 36_500),
    "DAY_RETENTION_DAYS": Whole(0, 0, 36_500),
    "BODY_RETENTION_DAYS": Whole(7, 0, 36_500),
}

SECONDS = {
    "QUEUE_TIMEOUT": Seconds(300, 0.01, DAY_S),
    "REQUEST_TIMEOUT": Seconds(0, 0, DAY_S),
    "DRAIN_TIMEOUT": Seconds(30, 0, DAY_S),
    "READ_DEADLINE": Seconds(30, 0.1, DAY_S),
    "STALL_TIMEOUT": Seconds(30, 0.1, DAY_S),
    "HANG_TIMEOUT": Seconds(120, 0.5, DAY_S),
    "SSE_KEEPALIVE_AFTER_S": Seconds(15, 0.01, DAY_S),
    "MODEL_TTL": Seconds(0, 0, 365 * DAY_S),
    "IMAGE_TIMEOUT": Seconds(10, 0.1, 600),
    # Of stored responses and conversations; 0: none are stored.
    "RESPONSES_RETENTION": Seconds(DAY_S, 0, 3650 * DAY_S),
}

UNSET = -1

SIZES = {
    # 0: what this machine can spare.
    "MEMORY_BUDGET": Size(0, 0, 2**50),
    # Unset: a share of the budget.
    "PROMPT_CACHE": Size(UNSET, 0, 2**50),
    # Of the JSON of one response; more than a body and an answer have.
    "RESPONSES_MAX_BYTES": Size(64 * MIB, 64 * KIB, 2**30),
}

MODEL_TYPES = ("", "lm", "vlm", "encoder")


def image_hosts(patterns: list[str]) -> list[str]:
    """Return the hosts that images may be fetched from, as they were given.

    Raises:
        ImproperlyConfigured: one of them is neither a name nor a pattern.
    """
    try:
        HostList(patterns)
    except ValueError as error:
        raise ImproperlyConfigured(f"IMAGE_HOSTS {error}.") from None
    return patterns


def trusted_proxies(networks: list[str]) -> list[str]:
    """Return the proxies that are believed, as they were given.

    Raises:
        ImproperlyConfigured: one of them is neither an address nor a network.
    """
    try:
        TrustedProxies(networks)
    except ValueError as error:
        raise ImproperlyConfigured(f"TRUSTED_PROXIES {error}.") from None
    return networks


def cors_origins(patterns: list[str]) -> list[str]:
    """Return the origins whose pages may call the API, as they were given.

    Raises:
        ImproperlyConfigured: one of them is none.
    """
    try:
        AllowedOrigins(patterns)
    except ValueError as error:
        raise ImproperlyConfigured(f"{SETTING} {error}.") from None
    return patterns
