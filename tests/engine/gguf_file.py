"""Writes small GGUF files in all imported tensor types, sound files and others."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8}
GROUP = 32
HIDDEN, HEADS, KV_HEADS, FEED = 8, 2, 1, 12
TOKENS = ["<|end|>", "<|im_start|>", *"abcdefgh", "ab"]
CONTROL, NORMAL = 3, 1


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, list):
        return struct.pack("<I", ARRAY) + _array(value)
    kind, layout = _number(value)
    return struct.pack("<I", kind) + struct.pack(layout, value)


def _array(items: list[Any]) -> bytes:
    if items and isinstance(items[0], str):
        head = struct.pack("<IQ", STRING, len(items))
        return head + b"".join(map(_string, items))
    kind, layout = _number(items[0]) if items else (I32, "<i")
    head = struct.pack("<IQ", kind, len(items))
    return head + struct.pack(f"<{len(items)}{layout[1:]}", *items)


def _number(value: Any) -> tuple[int, str]:
    if isinstance(value, bool):
        return BOOL, "<?"
    if isinstance(value, float):
        return F32, "<f"
    return (U32, "<I") if value >= 0 else (I32, "<i")


def encoded(array: np.ndarray, type_name: str) -> tuple[bytes, np.ndarray]:
    """Return an array's bytes in a tensor type, and the values these stand for."""
    if type_name == "F32":
        return array.astype("<f4").tobytes(), array.astype(np.float32)
    if type_name == "F16":
        halves = array.astype("<f2")
        return halves.tobytes(), halves.astype(np.float32)
    blocks = array.astype(np.float32).reshape(-1, GROUP)
    head, numbers, values = QUANTIZERS[type_name](blocks)
    raw = np.concatenate([head, numbers], axis=1)
    return raw.tobytes(), values.reshape(array.shape)


def _q8_0(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale = _half(np.abs(blocks).max(axis=1, keepdims=True) / 127)
    numbers = _divided(blocks, scale).round().clip(-127, 127).astype(np.int8)
    return _bytes_of(scale), numbers.view(np.uint8), numbers * scale


def _q4_0(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    farthest = np.take_along_axis(
        blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1
    )
    scale = _half(farthest / -8)
    numbers = (_divided(blocks, scale).round() + 8).clip(0, 15).astype(np.uint8)
    values = (numbers.astype(np.float32) - 8) * scale
    return _bytes_of(scale), _nibbles(numbers), values


def _q4_1(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    least = _half(blocks.min(axis=1, keepdims=True))
    scale = _half((blocks.max(axis=1, keepdims=True) - least) / 15)
    numbers = _divided(blocks - least, scale).round().clip(0, 15).astype(np.uint8)
    head = np.concatenate([_bytes_of(scale), _bytes_of(least)], axis=1)
    return head, _nibbles(numbers), numbers * scale + least


QUANTIZERS = {"Q4_0": _q4_0, "Q4_1": _q4_1, "Q8_0": _q8_0}


def _half(values: np.ndarray) -> np.ndarray:
    """Round to what a block's float16 can hold."""
    return values.astype("<f2").astype(np.float32)


def _divided(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return values / np.where(scale == 0, 1, scale)


def _bytes_of(column: np.ndarray) -> np.ndarray:
    return column.astype("<f2").view(np.uint8)


def _nibbles(numbers: np.ndarray) -> np.ndarray:
    """Pack 32 numbers into 16 bytes: the second half goes to the upper bits."""
    return numbers[:, :16] | (numbers[:, 16:] << 4)


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
    """A file to be; change what the test is about, then write it.

    `types` names the type of each tensor that is not float32; `type_number` lies
    about all of them.
    """

    metadata: dict[str, Any] = field(default_factory=llama_metadata)
    tensors: dict[str, np.ndarray] = field(default_factory=llama_tensors)
    types: dict[str, str] = field(default_factory=dict)
    magic: bytes = b"GGUF"
    version: int = 3
    type_number: int | None = None
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
            type_name = self.types.get(name, "F32")
            number = TYPES[type_name] if self.type_number is None else self.type_number
            head += _string(name) + struct.pack("<I", array.ndim)
            head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
            head += struct.pack("<IQ", number, len(data))
            raw, _ = encoded(array, type_name)
            data += raw + bytes(-len(raw) % 32)
        content = head + bytes(-len(head) % 32) + data
        path.write_bytes(content[: len(content) - self.missing_bytes])
        return path
