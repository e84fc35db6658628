"""Writes small GGUF files in all imported tensor types, sound files and others."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

if TYPE_CHECKING:
    from pathlib import Path

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
# Where the scales of a block lie, in types that llama.cpp's package only reads.
SCALES_AT = {
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ1_S": (0,),
    "IQ2_XXS": (0,),
    "IQ2_XS": (0,),
    "IQ2_S": (0,),
    "IQ3_XXS": (0,),
    "IQ3_S": (0,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
    "IQ1_M": (),
}
SPREAD = 0.1
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
    """Return an array's bytes in a tensor type, and the values these stand for.

    Where nothing but llama.cpp itself can quantize to a type, it is random blocks.
    """
    kind = GGMLQuantizationType[type_name]
    if type_name in SCALES_AT:
        raw = random_blocks(array.shape, type_name)
    else:
        raw = quants.quantize(array.astype(np.float32), kind)
    return raw.tobytes(), quants.dequantize(raw, kind)


def random_blocks(shape: tuple[int, ...], type_name: str) -> np.ndarray:
    """Return the bytes of a tensor whose values are spread by about `SPREAD`."""
    kind = GGMLQuantizationType[type_name]
    row_bytes = quants.quant_shape_to_byte_shape(shape, kind)
    generator = np.random.default_rng(math.prod(shape))
    raw = generator.integers(0, 256, row_bytes, dtype=np.uint8)
    blocks = raw.reshape(-1, GGML_QUANT_SIZES[kind][1])
    shares = generator.uniform(0.5, 1, len(blocks))
    _set_scales(shares, blocks, type_name)
    spread = quants.dequantize(raw, kind).std()
    _set_scales(shares * SPREAD / spread, blocks, type_name)
    return raw


def _set_scales(scales: np.ndarray, blocks: np.ndarray, type_name: str) -> None:
    halves = scales.astype("<f2").view(np.uint8).reshape(-1, 2)
    for start in SCALES_AT[type_name]:
        blocks[:, start : start + 2] = halves
    if type_name == "IQ1_M":
        # Four bits of the scale at the top of each of the last four words.
        nibbles = np.stack([halves & 0x0F, halves >> 4], axis=2).reshape(-1, 4)
        blocks[:, 49::2] = (blocks[:, 49::2] & 0x0F) | (nibbles << 4)


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
    about all of them. `raw` holds the bytes of those that nothing here can encode.
    """

    metadata: dict[str, Any] = field(default_factory=llama_metadata)
    tensors: dict[str, np.ndarray] = field(default_factory=llama_tensors)
    types: dict[str, str] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
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
            number = self.type_number
            if number is None:
                number = GGMLQuantizationType[type_name]
            head += _string(name) + struct.pack("<I", array.ndim)
            head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
            head += struct.pack("<IQ", number, len(data))
            raw = self.raw.get(name) or encoded(array, type_name)[0]
            data += raw + bytes(-len(raw) % 32)
        content = head + bytes(-len(head) % 32) + data
        path.write_bytes(content[: len(content) - self.missing_bytes])
        return path
