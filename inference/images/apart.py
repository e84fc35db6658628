"""Decodes one image in a process of its own, held to memory and time.

For codecs of videos, which decide by the data how much they take. What they do to
their process harms no model.
"""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

from inference.core.child_processes import (
    bound_this_process,
    environment_without_preload,
)
from inference.core.limits import DEFAULT_LIMITS, MIB

if TYPE_CHECKING:
    from PIL import Image

MODULE = "inference.images.apart"
# Beside the image: the interpreter, its libraries, and what the codec starts with.
ADDRESSES_BYTES = DEFAULT_LIMITS.image_decoding_bytes + 512 * MIB
CPU_S = 30
# The time is bounded in the process; this is for one that stands still.
STILL_S = 120.0
_HEAD = struct.Struct(">II")


def decoded(data: bytes, kind: str, max_side: int | None) -> Image.Image:
    """Return what `pixels_of` makes of it.

    Raises:
        ValueError: it cannot be decoded, or not within the bounds.
    """
    from PIL import Image

    done = subprocess.run(  # noqa: S603 -- a fixed program
        [
            *(sys.executable, "-m", MODULE),
            *(kind, str(max_side or 0), str(ADDRESSES_BYTES)),
        ],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=STILL_S,
        check=False,
        # An arena for each thread would take addresses.
        env=environment_without_preload() | {"MALLOC_ARENA_MAX": "1"},
    )
    if done.returncode:
        raise ValueError(f"the decoder ended ({done.returncode})")
    size = _HEAD.unpack_from(done.stdout)
    return Image.frombytes("RGB", size, done.stdout[_HEAD.size :])


def main(kind: str, max_side: str, addresses_bytes: str) -> None:
    """Decode what comes on standard input; write its size and its pixels."""
    from inference.images.pixels import pixels_of

    bound_this_process(int(addresses_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    _prepare(kind)
    image = pixels_of(sys.stdin.buffer.read(), kind, int(max_side) or None)
    sys.stdout.buffer.write(_HEAD.pack(*image.size) + image.tobytes())


def _prepare(kind: str) -> None:
    """Have the codec use one thread; each takes memory of its own."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener()
    else:
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1


if __name__ == "__main__":
    main(*sys.argv[1:])
