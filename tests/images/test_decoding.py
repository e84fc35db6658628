"""From bytes to pixels: upright, opaque, RGB, or refused."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from inference.core.child_processes import peak_bytes
from inference.core.errors import ImageTooLargeError, InvalidImageError
from inference.core.images import ImageData
from inference.core.limits import MIB, Limits
from inference.images import apart, pixels
from inference.images.decoding import decoded
from inference.images.headers import to_image
from tests.images.cast import chunk, picture, png_bomb, processor_s

if TYPE_CHECKING:
    from pathlib import Path

# `decoding` silences these in a server; pytest has filters of its own.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

ORIENTATION = 0x0112
SHARP = {"subsampling": 0}  # hard edges keep their colours


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def landscape(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """An image that no turn and no flip leaves as it is."""
    image = Image.new("RGB", size, (20, 120, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] // 3, size[1] // 4), fill=(240, 20, 20))
    draw.rectangle((0, size[1] // 2, size[0] // 8, size[1]), fill=(20, 220, 20))
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two images' channels, 0 to 255."""
    assert (one.mode, one.size) == (other.mode, other.size)
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize(
    ("kind", "options", "tolerated"),
    [
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, **SHARP}, 3),
        ("JPEG", {"quality": 95, "progressive": True, **SHARP}, 3),
        ("GIF", {}, 3),
        ("BMP", {}, 0),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 3),
    ],
)
def test_it_gives_the_pixels_of_every_format(
    kind: str, options: dict[str, Any], tolerated: float
) -> None:
    image = decoded(to_image(file_of(landscape(), kind, **options)))
    assert difference(image, landscape()) <= tolerated


def test_it_reads_what_an_iphone_keeps() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image = to_image(file_of(landscape(), "HEIF", quality=95))
    assert difference(decoded(image), landscape()) < 6
    assert decoded(image, max_side=48).size == (48, 32)


def test_an_avif_larger_than_it_says_is_bounded_in_memory_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = file_of(Image.new("RGB", (9000, 9000)), "AVIF", speed=10, quality=10)
    at = data.index(b"ispe") + 8
    lying = to_image(data[:at] + struct.pack(">II", 64, 48) + data[at + 8 :])
    before = peak_bytes()
    # The library scales it to what the file says.
    assert decoded(lying).size == (64, 48)
    assert peak_bytes() < before + 50_000_000
    honest = to_image(picture("AVIF"))
    monkeypatch.setattr(apart, "ADDRESSES_BYTES", 160 * MIB)
    with pytest.raises(InvalidImageError):
        decoded(lying)
    assert decoded(honest).size == (8, 6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_turns_an_image_as_its_camera_was_held(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"JPEG": {"quality": 98, **SHARP}, "PNG": {}, "WEBP": {"lossless": True}}[
        kind
    ]
    image = decoded(to_image(file_of(landscape(), kind, exif=exif, **options)))
    turns = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    turn = turns[orientation]
    expected = landscape() if turn is None else landscape().transpose(turn)
    assert difference(image, expected) < 3


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"nonsense",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", ORIENTATION, 3, 1, 99),
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", ORIENTATION, 2, 9, 1 << 31),
    ],
)
def test_broken_metadata_spoils_no_image(exif: bytes) -> None:
    data = file_of(landscape(), "JPEG", **SHARP, exif=b"Exif\0\0" + exif)
    assert difference(decoded(to_image(data)), landscape()) < 3


def test_broken_metadata_fills_no_log(tmp_path: Path) -> None:
    data = file_of(landscape(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (tmp_path / "odd.jpg").write_bytes(data)
    code = (
        "import sys; from pathlib import Path; "
        "from inference.images.decoding import decoded; "
        "from inference.images.headers import to_image; "
        "print(decoded(to_image(Path(sys.argv[1]).read_bytes())).size)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "odd.jpg")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("(96, 64)\n", "")


def test_metadata_built_to_be_slow_is_not() -> None:
    count, size = 65_535, 1_000_000
    entries = b"".join(
        struct.pack("<HHII", tag, 7, size, 8 + 2 + 12 * count)
        for tag in range(count)
        if tag != ORIENTATION
    )
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", count - 1) + entries + b"\0" * size
    plain = file_of(landscape(), "PNG")
    data = plain[:33] + chunk(b"eXIf", exif) + plain[33:]
    begun = time.thread_time()
    assert difference(decoded(to_image(data)), landscape()) == 0
    assert time.thread_time() - begun < 5


@pytest.mark.parametrize(
    ("mode", "color", "options", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), {}, (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), {}, (255, 0, 0)),
        ("RGBA", (0, 0, 0, 127), {}, (128, 128, 128)),
        ("LA", (0, 0), {}, (255, 255, 255)),
        ("RGB", (9, 8, 7), {"transparency": (9, 8, 7)}, (255, 255, 255)),
        ("L", 90, {}, (90, 90, 90)),
        ("1", 1, {}, (255, 255, 255)),
        ("I;16", 0, {}, (0, 0, 0)),
        ("I;16", 32_896, {}, (128, 128, 128)),
        ("I;16", 65_535, {}, (255, 255, 255)),
    ],
)
def test_it_lays_what_is_transparent_on_white(
    mode: str, color: Any, options: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    image = decoded(to_image(picture("PNG", mode=mode, color=color, **options)))
    assert image.mode == "RGB"
    assert image.getpixel((3, 3)) == expected


def test_it_lays_the_transparent_colour_of_a_palette_on_white() -> None:
    for kind in ("GIF", "PNG"):
        drawing = Image.new("P", (8, 8), 1)
        drawing.putpalette([0, 0, 0, 250, 0, 0, 0, 0, 250])
        drawing.putpixel((2, 2), 2)
        image = decoded(to_image(file_of(drawing, kind, transparency=1)))
        assert image.getpixel((5, 5)) == (255, 255, 255)
        assert image.getpixel((2, 2)) == (0, 0, 250)


def test_it_reads_the_inks_of_a_printer() -> None:
    data = picture("JPEG", mode="CMYK", color=(0, 255, 255, 0), quality=95)
    red, green, blue = decoded(to_image(data)).getpixel((3, 3))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_it_shows_the_first_frame_of_an_animation(kind: str) -> None:
    later = [Image.new("RGB", (20, 10), (0, 0, 250))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = picture(
        kind, (20, 10), (250, 0, 0), save_all=True, append_images=later, **options
    )
    assert decoded(to_image(data)).getpixel((5, 5)) == (250, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_it_refuses_an_image_that_is_cut_off(kind: str) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    data = file_of(noise, kind)
    with pytest.raises(InvalidImageError, match="damaged or incomplete"):
        decoded(to_image(data[: len(data) // 2]))


def test_it_refuses_an_image_whose_data_are_not_what_was_written() -> None:
    data = file_of(landscape((400, 400)), "PNG")
    at = data.index(b"IDAT") + 40
    broken = data[:at] + b"\xff\0\xff\0" + data[at + 4 :]
    with pytest.raises(InvalidImageError, match="damaged"):
        decoded(to_image(broken))


def test_no_cut_or_changed_file_makes_it_fail_otherwise() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        data = file_of(landscape((24, 16)), kind)
        for at in range(0, len(data), 7):
            for broken in (data[:at], data[:at] + b"\xa5" + data[at + 1 :]):
                try:
                    image = decoded(to_image(broken))
                except (InvalidImageError, ImageTooLargeError):
                    continue
                assert image.mode == "RGB"


def test_it_trusts_its_own_look_at_the_size_most() -> None:
    bomb = ImageData(data=png_bomb(9000, 9000), sha256="", width=8, height=8)
    with pytest.raises(ImageTooLargeError):
        decoded(bomb)
    small = to_image(picture())
    with pytest.raises(ImageTooLargeError):
        decoded(small, limits=Limits(image_decoding_bytes=10))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("size", [(1600, 900), (500, 1700), (200, 100), (3000, 2)])
def test_it_fits_an_image_into_a_side(kind: str, size: tuple[int, int]) -> None:
    data = file_of(landscape(size), kind)
    image = decoded(to_image(data), max_side=400)
    scale = min(1.0, 400 / max(size))
    assert max(image.size) == min(400, max(size))
    for side, its in zip(image.size, size, strict=True):
        assert abs(side - its * scale) <= 1
    if min(size) > 2:
        expected = landscape(size).resize(image.size, Image.Resampling.LANCZOS)
        assert difference(image, expected) < 6


def test_whoever_asks_one_image_is_decoded_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, most = 0, 0
    real = pixels._fitted

    def fitted(picture: Image.Image, side: int | None) -> Image.Image:
        nonlocal running, most
        running += 1
        most = max(most, running)
        # Long enough for others to come in, if they could.
        gate.wait(0.05)
        running -= 1
        return real(picture, side)

    gate = threading.Event()
    monkeypatch.setattr(pixels, "_fitted", fitted)
    image = to_image(picture())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: decoded(image), range(4)))
    assert len(found) == 4
    assert most == 1


def test_fitting_keeps_an_image_upright() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = file_of(landscape((1200, 800)), "JPEG", exif=exif)
    image = decoded(to_image(data), max_side=300)
    assert image.size == (200, 300)
    with Image.open(io.BytesIO(data)) as file:
        expected = ImageOps.exif_transpose(file).resize((200, 300))
    assert difference(image, expected) < 4


COLOURS = (250, 200, 150)
TAKES = (
    "import sys; from PIL import Image, JpegImagePlugin, PngImagePlugin;"
    "from inference.images.decoding import decoded;"
    "from inference.images.headers import to_image;"
    "from tests.images.cast import memory_bytes;"
    "image = to_image(sys.stdin.buffer.read());"
    "before = memory_bytes('VmRSS');"
    "decoded(image, max_side=2048);"
    "print(memory_bytes('VmHWM') - before, image.decoding_bytes)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
        ("PNG", "RGB", {}),
        ("PNG", "RGB", {"transparency": COLOURS}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("GIF", "P", {"transparency": 1}),
        ("WEBP", "RGBA", {"method": 0, "quality": 20}),
    ],
)
def test_no_image_takes_more_memory_than_was_counted(
    kind: str, mode: str, options: dict[str, Any]
) -> None:
    drawing = Image.new("RGB", (5000, 4000), COLOURS).convert(mode)
    found = subprocess.run(
        [sys.executable, "-c", TAKES],
        input=file_of(drawing, kind, **options),
        capture_output=True,
        check=True,
    )
    taken, counted = map(int, found.stdout.split())
    assert taken < counted + 60_000_000


def test_a_huge_photograph_is_decoded_small_in_a_fraction_of_the_time() -> None:
    data = file_of(landscape((5600, 4200)), "JPEG")
    image = to_image(data)
    whole_s = processor_s(lambda: decoded(image))
    assert decoded(image, max_side=448).size == (448, 336)
    assert processor_s(lambda: decoded(image, max_side=448)) < whole_s
