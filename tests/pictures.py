"""Pictures of colours that the tiny vision model names, none of them it learnt from."""

from __future__ import annotations

import base64
import io
import random

from PIL import Image

# What the tiny model was taught to tell apart: from, to, for each of R, G and B.
COLOURS: dict[str, tuple[tuple[int, int], ...]] = {
    "red": ((185, 255), (0, 45), (0, 45)),
    "green": ((0, 55), (105, 255), (0, 65)),
    "blue": ((0, 60), (0, 85), (165, 255)),
    "yellow": ((225, 255), (212, 255), (0, 70)),
    "orange": ((235, 255), (118, 172), (0, 45)),
    "purple": ((105, 165), (0, 50), (118, 215)),
    "cyan": ((0, 60), (212, 255), (212, 255)),
    "pink": ((240, 255), (100, 196), (165, 212)),
    "white": ((236, 255),) * 3,
    "black": ((0, 26),) * 3,
    "gray": ((110, 150),) * 3,
}
ONE = "What colour is this image?"
ALL = "What colours are these images?"


def pixels(colour: str, seed: int) -> Image.Image:
    """Return a picture of a shade of `colour`, of some size."""
    chance = random.Random(f"{colour} {seed}")
    shade = [chance.randint(*span) for span in COLOURS[colour]]
    if colour in ("white", "gray"):
        shade = [shade[0]] * 3
    side = chance.choice([16, 32, 48, 64, 100, 224, 640])
    size = (side, round(side * chance.choice([1, 1, 4 / 3, 3 / 2, 2])))
    return Image.new("RGB", size[:: chance.choice([1, -1])], tuple(shade))


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def data_url(colour: str, seed: int) -> str:
    """Return a picture as clients send it."""
    file = encoded(pixels(colour, seed))
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"
