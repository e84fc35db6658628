"""What is measured of each generation that had a seat: names, buckets, readings.

Names and meanings are vLLM's, and every bound of vLLM's buckets is among ours, so
that its dashboards read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics.histograms import INTER_TOKEN_S, TOTAL_S, TTFT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.core.events import RequestRecord

TOKENS = tuple(
    float(step * 10**power) for power in range(7) for step in (1, 2, 5)
)  # 1, 2, 5, 10 ... 5,000,000
# Most waits and many prefills are shorter than any whole request.
PHASE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, *TOTAL_S)
CHOICES = (1.0, 2.0, 5.0, 10.0, 20.0)


def _once(_record: RequestRecord) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Measure:
    """A histogram: `read` returns a request's value, `None` where it has none.

    `weight` is how many observations the value stands for.
    """

    name: str
    text: str
    bounds: tuple[float, ...]
    read: Callable[[RequestRecord], float | None]
    weight: Callable[[RequestRecord], int] = _once


def _inference_s(record: RequestRecord) -> float | None:
    if record.prefill_s is None:
        return None
    return record.prefill_s + (record.decode_s or 0.0)


def _gaps(record: RequestRecord) -> int:
    """Return how many tokens had one of their choice before them."""
    return max(0, (record.completion_tokens or 0) - record.choices)


def _max_tokens(record: RequestRecord) -> float | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = record.params.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


MEASURES = (
    Measure(
        "vllm:time_to_first_token_seconds",
        "Time to the first token, from the request's arrival.",
        TTFT_S,
        lambda record: record.ttft_s,
    ),
    Measure(
        "vllm:inter_token_latency_seconds",
        "Time between tokens; each of a request's counts as their mean.",
        INTER_TOKEN_S,
        lambda record: record.itl_mean_s,
        _gaps,
    ),
    Measure(
        "vllm:request_time_per_output_token_seconds",
        "A request's mean time between tokens.",
        INTER_TOKEN_S,
        lambda record: record.itl_mean_s,
    ),
    Measure(
        "vllm:e2e_request_latency_seconds",
        "Time from a request's arrival to its end.",
        TOTAL_S,
        lambda record: record.total_s,
    ),
    Measure(
        "vllm:request_queue_time_seconds",
        "Time a request waited for its seat.",
        PHASE_S,
        lambda record: record.queue_s,
    ),
    Measure(
        "vllm:request_prefill_time_seconds",
        "Time from a request's seat to its first token.",
        PHASE_S,
        lambda record: record.prefill_s,
    ),
    Measure(
        "vllm:request_decode_time_seconds",
        "Time from a request's first token to its last.",
        PHASE_S,
        lambda record: record.decode_s,
    ),
    Measure(
        "vllm:request_inference_time_seconds",
        "Time from a request's seat to its last token.",
        PHASE_S,
        _inference_s,
    ),
    Measure(
        "vllm:request_prompt_tokens",
        "Tokens in a request's prompt.",
        TOKENS,
        lambda record: record.prompt_tokens,
    ),
    Measure(
        "vllm:request_generation_tokens",
        "Tokens in a request's answer, all choices together.",
        TOKENS,
        lambda record: record.completion_tokens,
    ),
    Measure(
        "vllm:request_params_n",
        "Choices a request asked for.",
        CHOICES,
        lambda record: record.choices,
    ),
    Measure(
        "vllm:request_params_max_tokens",
        "Most completion tokens a request asked for, where it did.",
        TOKENS,
        _max_tokens,
    ),
)
