"""Writes small GGUF files, sound ones and others."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
HIDDEN, HEADS, KV_HEADS, FEED = 8, 2, 1, 12
TOKENS = ["<|end|>", "<|im_start|>", *"abcdefgh", "ab"]
CONTROL, NORMAL = 3, 1


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, float):
        return struct.pack("<If", F32, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    kind = STRING if isinstance(value[0], str) else I32
    head = struct.pack("<IIQ", ARRAY, kind, len(value))
    items = (_string(v) if kind == STRING else struct.pack("<i", v) for v in value)
    return head + b"".join(items)


def llama_metadata() -> dict[str, Any]:
    """What a tiny model of the llama kind says of itself."""
    return {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": FEED,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10_000.0,
        "llama.context_length": 64,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [CONTROL] * 2 + [NORMAL] * (len(TOKENS) - 2),
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
    }


def llama_tensors() -> dict[str, np.ndarray]:
    """Weights whose values tell their place."""
    head = HIDDEN // HEADS
    shapes = {
        "token_embd.weight": (len(TOKENS), HIDDEN),
        "blk.0.attn_q.weight": (HIDDEN, HIDDEN),
        "blk.0.attn_k.weight": (head * KV_HEADS, HIDDEN),
        "blk.0.attn_v.weight": (head * KV_HEADS, HIDDEN),
        "blk.0.attn_output.weight": (HIDDEN, HIDDEN),
        "blk.0.ffn_gate.weight": (FEED, HIDDEN),
        "blk.0.ffn_up.weight": (FEED, HIDDEN),
        "blk.0.ffn_down.weight": (HIDDEN, FEED),
        "blk.0.attn_norm.weight": (HIDDEN,),
        "blk.0.ffn_norm.weight": (HIDDEN,),
        "output_norm.weight": (HIDDEN,),
    }
    return {
        name: np.arange(math.prod(shape), dtype=np.float32).reshape(shape) / 100
        for name, shape in shapes.items()
    }


@dataclass
class GGUFFile:
    """A file to be; change what the test is about, then write it."""

    metadata: dict[str, Any] = field(default_factory=llama_metadata)
    tensors: dict[str, np.ndarray] = field(default_factory=llama_tensors)
    magic: bytes = b"GGUF"
    version: int = 3
    tensor_type: int = 0
    entry_count: int | None = None
    missing_bytes: int = 0

    def write(self, path: Path) -> Path:
        """Write everything as it is set, sound or not."""
        count = len(self.metadata) if self.entry_count is None else self.entry_count
        head = self.magic + struct.pack("<IQQ", self.version, len(self.tensors), count)
        for key, value in self.metadata.items():
            head += _string(key) + _value(value)
        data = b""
        for name, array in self.tensors.items():
            head += _string(name) + struct.pack("<I", array.ndim)
            head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
            head += struct.pack("<IQ", self.tensor_type, len(data))
            data += array.tobytes()
            data += bytes(-len(data) % 32)
        content = head + bytes(-len(head) % 32) + data
        path.write_bytes(content[: len(content) - self.missing_bytes])
        return path
