"""Which models to begin with on this machine: a short table, and a choice from it."""

from __future__ import annotations

from dataclasses import dataclass

# Of the machine's memory; the rest is the system's, and everybody else's.
SHARE = 0.6
# Room for conversations: as much text as this in the cache, whoever it belongs to.
CONTEXT_TOKENS = 8192
WORKER_BYTES = 500_000_000  # a worker process before it holds a model
# A CPU computes in float32: scales and caches take twice what they take on disk,
# the packed weights (eight of nine parts) stay. Larger ones answer too slowly.
CPU_WEIGHTS_FACTOR = 10 / 9
CPU_CACHE_FACTOR = 2
CPU_LARGEST_BYTES = 1_000_000_000
# By the size of the best one that fits.
BALANCED_SHARE, QUICK_SHARE = 1 / 2, 1 / 6


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A repository; sizes are about right: 4.5 bits a weight, vision parts 16.

    `cache_bytes` is what a token takes in the KV cache, in 16 bits.
    """

    repo_id: str
    size_bytes: int
    cache_bytes: int
    words: str

    def needed_bytes(self, *, on_cpu: bool) -> int:
        """Return about how much memory it takes, with room for conversations."""
        weights, cache = self.size_bytes, self.cache_bytes * CONTEXT_TOKENS
        if on_cpu:
            weights = int(weights * CPU_WEIGHTS_FACTOR)
            cache *= CPU_CACHE_FACTOR
        return weights + cache + WORKER_BYTES


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model that fits, and what it is suggested as."""

    role: str
    model: KnownModel


TEXT, THINKS, SEES = "text", "text; can think first", "text; can read images"

# From small to able. What a token takes: two, times layers, times KV heads, times
# the size of a head, times two bytes, as their configs say.
KNOWN = (
    KnownModel("mlx-community/Qwen2.5-0.5B-Instruct-4bit", 278_000_000, 12_288, TEXT),
    KnownModel("mlx-community/Qwen3-0.6B-4bit", 335_000_000, 114_688, THINKS),
    KnownModel("mlx-community/Llama-3.2-1B-Instruct-4bit", 695_000_000, 32_768, TEXT),
    KnownModel("mlx-community/Qwen3-1.7B-4bit", 968_000_000, 114_688, THINKS),
    KnownModel(
        "mlx-community/Llama-3.2-3B-Instruct-4bit", 1_810_000_000, 114_688, TEXT
    ),
    KnownModel("mlx-community/Qwen3-4B-4bit", 2_260_000_000, 147_456, THINKS),
    KnownModel(
        "mlx-community/Qwen2.5-VL-3B-Instruct-4bit", 3_070_000_000, 36_864, SEES
    ),
    KnownModel("mlx-community/gemma-3-4b-it-4bit", 3_400_000_000, 139_264, SEES),
    KnownModel("mlx-community/Qwen3-8B-4bit", 4_610_000_000, 147_456, THINKS),
    KnownModel(
        "mlx-community/Qwen2.5-VL-7B-Instruct-4bit", 5_640_000_000, 57_344, SEES
    ),
    KnownModel("mlx-community/gemma-3-12b-it-4bit", 8_000_000_000, 393_216, SEES),
    KnownModel("mlx-community/Qwen3-14B-4bit", 8_310_000_000, 163_840, THINKS),
    KnownModel("mlx-community/gemma-3-27b-it-4bit", 16_800_000_000, 507_904, SEES),
    KnownModel("mlx-community/Qwen3-30B-A3B-4bit", 17_200_000_000, 98_304, THINKS),
    KnownModel("mlx-community/Qwen3-32B-4bit", 18_400_000_000, 262_144, THINKS),
    KnownModel(
        "mlx-community/Qwen2.5-VL-32B-Instruct-4bit", 19_800_000_000, 262_144, SEES
    ),
    KnownModel(
        "mlx-community/Llama-3.3-70B-Instruct-4bit", 39_700_000_000, 327_680, TEXT
    ),
    KnownModel(
        "mlx-community/Qwen2.5-VL-72B-Instruct-4bit", 42_300_000_000, 327_680, SEES
    ),
)


def suggest(*, memory_bytes: int, on_cpu: bool) -> tuple[Suggestion, ...]:
    """Return up to three models that fit: quick, balanced, best; the small first.

    Fewer where fewer fit, none where none does.
    """
    room = int(memory_bytes * SHARE)
    fitting = [
        model
        for model in KNOWN
        if model.needed_bytes(on_cpu=on_cpu) <= room
        and not (on_cpu and model.size_bytes > CPU_LARGEST_BYTES)
    ]
    if not fitting:
        return ()
    best = fitting.pop()
    chosen = [Suggestion("best", best)]
    for role, share in (("balanced", BALANCED_SHARE), ("quick", QUICK_SHARE)):
        smaller = [
            model for model in fitting if model.size_bytes <= best.size_bytes * share
        ]
        if fitting:
            model = smaller[-1] if smaller else fitting[0]
            chosen.append(Suggestion(role, model))
            del fitting[fitting.index(model) :]
    return tuple(reversed(chosen))
