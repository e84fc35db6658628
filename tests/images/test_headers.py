"""Images are judged by their first bytes, in no time and no memory."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
from typing import Any

import pytest
from PIL import Image

from inference.core.errors import (
    ImageTooLargeError,
    InvalidImageError,
    InvalidRequestError,
)
from inference.core.limits import Limits
from inference.images import anatomy, headers
from inference.images.headers import format_of, to_image
from tests.images.cast import chunk, picture, png_bomb, processor_s

KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"]
PNG_HEAD = 33  # magic and IHDR


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (8, 6), (640, 480), (3, 700)])
def test_it_reads_the_size_of_an_image(kind: str, size: tuple[int, int]) -> None:
    data = picture(kind, size)
    image = to_image(data, detail="high")
    assert format_of(data) == kind
    assert (image.width, image.height) == size
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert (image.data, image.detail) == (data, "high")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True, "quality": 95}),
        ("JPEG", {"mode": "L", "color": 7}),
        ("JPEG", {"mode": "CMYK", "color": (1, 2, 3, 4)}),
        ("JPEG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0", "comment": b"hello"}),
        ("JPEG", {"icc_profile": b"p" * 200_000}),
        ("JPEG", {"restart_marker_blocks": 1}),
        ("PNG", {"mode": "RGBA", "color": (1, 2, 3, 4)}),
        ("PNG", {"mode": "I;16", "color": 700}),
        ("PNG", {"mode": "1", "color": 1}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"mode": "RGBA", "color": (1, 2, 3, 4)}),
        ("WEBP", {"lossless": True, "exif": b"II*\0\x08\0\0\0\0\0"}),
        ("GIF", {"mode": "P", "color": 1, "transparency": 1, "comment": b"c" * 900}),
    ],
)
def test_it_reads_the_kinds_within_a_format(kind: str, options: dict[str, Any]) -> None:
    image = to_image(picture(kind, (70, 50), **options))
    assert (image.width, image.height) == (70, 50)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_it_reads_the_size_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), (0, 0, shade)) for shade in (9, 99)]
    data = picture(kind, (20, 10), save_all=True, append_images=frames)
    image = to_image(data)
    assert (image.width, image.height) == (20, 10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF",
        b"<html>",
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0\x1cftypqt  " + b"\0" * 64,
        b"II*\0" + b"\0" * 64,
        b"\x89PNG\r\n\x1a",
        b"8BPS" + b"\0" * 64,
        b"RIFF\x24\0\0\0WAVEfmt ",
    ],
)
def test_it_takes_no_other_formats(data: bytes) -> None:
    with pytest.raises(
        InvalidImageError, match="no JPEG, PNG, WebP, GIF, BMP, AVIF or"
    ):
        to_image(data)


@pytest.mark.parametrize("kind", KINDS)
def test_no_cut_or_broken_head_makes_it_fail_otherwise(kind: str) -> None:
    """Every prefix, and every byte changed, is read or refused by name."""
    data = picture(kind, (40, 30))[:700]
    tried = [data[:length] for length in range(len(data))]
    tried += [
        data[:at] + bytes([byte]) + data[at + 1 :]
        for at in range(min(len(data), 120))
        for byte in (0, 1, 0x7F, 0xFF)
    ]
    outcomes = set()
    for broken in tried:
        try:
            to_image(broken)
            outcomes.add("read")
        except InvalidRequestError as refused:
            outcomes.add(refused.code)
    assert "invalid_image" in outcomes
    assert outcomes <= {"read", "invalid_image", "image_too_large"}


@pytest.mark.parametrize("side", [9000, 13_000])
def test_a_bomb_is_refused_without_being_decoded(side: int) -> None:
    bomb = png_bomb(side, side)
    assert len(bomb) < 25_000

    def refused() -> None:
        with pytest.raises(ImageTooLargeError, match="pixels") as refusal:
            to_image(bomb)
        assert refusal.value.code == "image_too_large"

    tracemalloc.start()
    taken_s = processor_s(refused)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken_s < 0.05
    assert most < 100_000


@pytest.mark.parametrize(
    ("kind", "at", "layout"),
    [("GIF", 6, "<HH"), ("PNG", 16, ">II"), ("WEBP", 26, "<HH")],
)
def test_every_format_is_held_to_the_caps(kind: str, at: int, layout: str) -> None:
    data = picture(kind)
    for size in [(16_000, 16_000), (2, 16_383)]:
        claim = struct.pack(layout, *size)
        lying = data[:at] + claim + data[at + len(claim) :]
        with pytest.raises(ImageTooLargeError):
            to_image(lying, limits=Limits(image_side=10_000))


def test_a_jpeg_is_held_to_the_caps() -> None:
    data = picture("JPEG")
    at = data.index(b"\xff\xc0") + 5
    lying = data[:at] + struct.pack(">HH", 65_535, 65_535) + data[at + 4 :]
    with pytest.raises(ImageTooLargeError, match="65,535 by 65,535"):
        to_image(lying)


def jpeg_of(width: int, height: int, **options: Any) -> bytes:
    """A JPEG whose header says another size than it was made with."""
    data = picture("JPEG", **options)
    at = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def test_a_jpeg_counts_as_it_is_decoded() -> None:
    whole = to_image(jpeg_of(2500, 2000))
    assert whole.decoded_pixels == 2500 * 2000
    halved = to_image(jpeg_of(8064, 6048))
    assert halved.decoded_pixels == 4032 * 3024
    quartered = to_image(jpeg_of(16_320, 12_240))
    assert (quartered.width, quartered.height) == (16_320, 12_240)
    assert quartered.decoded_pixels == 4080 * 3060
    assert quartered.decoding_bytes < 80_000_000
    assert to_image(jpeg_of(65_535, 3000)).decoded_pixels < 3_100_000
    with pytest.raises(ImageTooLargeError, match="together they may be 200,000,000"):
        to_image(jpeg_of(16_320, 12_300))


def test_a_jpeg_whose_coefficients_are_kept_counts_with_them() -> None:
    """Progressive ones are read whole before the first pixel is made."""
    photo = to_image(jpeg_of(8064, 6048, progressive=True))
    assert photo.decoding_bytes > 8064 * 6048 * 3
    assert photo.decoded_pixels == 8064 * 6048
    with pytest.raises(ImageTooLargeError, match="to decode them takes"):
        to_image(jpeg_of(12_000, 12_000, progressive=True))
    apart = jpeg_of(14_000, 14_000)
    at = apart.index(b"\xff\xda") + 4
    with pytest.raises(ImageTooLargeError, match="to decode them takes"):
        to_image(apart[:at] + b"\1" + apart[at + 1 :])


def test_a_large_jpeg_may_have_fewer_scans() -> None:
    data = picture("JPEG", (64, 64), progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    at = data.index(b"\xff\xc2") + 5
    size = struct.pack(">HH", 6048, 8064)
    large = data[:at] + size + data[at + 4 : -2]
    assert to_image(large + last * 10 + data[-2:]).width == 8064
    with pytest.raises(InvalidImageError, match="too many for its size"):
        to_image(large + last * 40 + data[-2:])


@pytest.mark.parametrize(
    ("colours", "most"), [(2, 66_000_000), (3, 66_000_000), (6, 50_000_000)]
)
def test_other_formats_are_read_up_to_what_their_decoding_takes(
    colours: int, most: int
) -> None:
    def sized(pixels: int) -> bytes:
        head = struct.pack(">IIBBBBB", 5000, pixels // 5000, 8, colours, 0, 0, 0)
        return picture()[:8] + chunk(b"IHDR", head) + chunk(b"IEND", b"")

    assert to_image(sized(35_000_000)).height == 7000
    assert to_image(sized(most)).decoding_bytes <= Limits().image_decoding_bytes
    with pytest.raises(ImageTooLargeError, match="the most is 400 MB"):
        to_image(sized(most + 1_000_000))


def test_a_colour_that_is_transparent_counts_as_an_alpha_channel() -> None:
    plain = to_image(picture(size=(100, 100)))
    marked = to_image(picture(size=(100, 100), transparency=(1, 2, 3)))
    assert marked.decoding_bytes > plain.decoding_bytes


def test_a_run_length_encoded_bmp_is_refused() -> None:
    data = picture("BMP", mode="P", color=1)
    with pytest.raises(InvalidImageError, match="run-length"):
        to_image(data[:30] + struct.pack("<I", 1) + data[34:])
    assert to_image(data[:22] + struct.pack("<i", -6) + data[26:]).height == 6


def test_the_largest_image_of_an_avif_counts() -> None:
    data = picture("AVIF", (64, 48))
    at = data.index(b"ispe") + 8
    assert to_image(data).height == 48
    lying = data[:at] + struct.pack(">II", 12_000, 9000) + data[at + 8 :]
    with pytest.raises(ImageTooLargeError, match="12,000 by 9,000"):
        to_image(lying)


def test_heic_is_refused_by_name_where_nothing_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(headers, "find_spec", lambda _name: None)
    with pytest.raises(InvalidImageError, match=r"mlx-server\[heif\]"):
        to_image(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + b"\0" * 64)


def test_the_first_frame_of_a_gif_counts_where_it_is_larger_than_its_screen() -> None:
    data = picture("GIF")
    at = data.index(b"\x2c") + 5
    lying = data[:at] + struct.pack("<HH", 60_000, 60_000) + data[at + 4 :]
    with pytest.raises(ImageTooLargeError):
        to_image(lying)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG"])
def test_an_image_without_pixels_is_refused(kind: str) -> None:
    data = picture(kind)
    at = {"PNG": 16, "GIF": 6, "JPEG": data.find(b"\xff\xc0") + 5}[kind]
    empty = data[:at] + b"\0" * 4 + data[at + 4 :]
    if kind == "GIF":
        at = data.index(b"\x2c") + 5
        empty = empty[:at] + b"\0" * 4 + empty[at + 4 :]
    with pytest.raises(InvalidImageError, match="no pixels"):
        to_image(empty)


def test_an_image_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="more than 100 bytes"):
        to_image(picture("JPEG"), limits=Limits(image_bytes=100))


JPEG = picture("JPEG")
GIF = picture("GIF")
COMMENT_AT = GIF.index(b"\x2c")
SLOW_TO_WALK = {
    "empty segments": JPEG[:2] + b"\xff\xe5\x00\x02" * 4_000_000 + JPEG[2:],
    "fill bytes": JPEG[:2] + b"\xff" * 16_000_000 + JPEG[2:],
    "junk between segments": JPEG[:20] + b"\0" * 16_000_000 + JPEG[20:],
    "restarts outside of scans": JPEG[:2] + b"\xff\xd0" * 8_000_000 + JPEG[2:],
    "empty chunks": picture()[:PNG_HEAD] + chunk(b"abCd", b"") * 1_300_000,
    "a comment in crumbs": (
        GIF[:COMMENT_AT] + b"!\xfe" + b"\x01a" * 8_000_000 + b"\0" + GIF[COMMENT_AT:]
    ),
    "junk between blocks": GIF[:COMMENT_AT] + b"\0" * 16_000_000 + GIF[COMMENT_AT:],
    "many comments": GIF[:COMMENT_AT] + b"!\xfe\0" * 5_000_000 + GIF[COMMENT_AT:],
    "empty pieces of WebP": picture("WEBP") + b"abcd\0\0\0\0" * 2_000_000,
}


def test_what_common_writers_leave_behind_is_tolerated() -> None:
    assert to_image(GIF[:COMMENT_AT] + b"\0" + GIF[COMMENT_AT:]).width == 8
    assert to_image(JPEG[:20] + b"\0" + JPEG[20:] + b"rest").width == 8
    assert to_image(picture() + b"rest").width == 8


@pytest.mark.parametrize("data", SLOW_TO_WALK.values(), ids=SLOW_TO_WALK)
def test_a_file_built_to_be_slow_is_refused_quickly(data: bytes) -> None:
    assert len(data) < Limits().image_bytes

    def refused() -> None:
        with pytest.raises(InvalidImageError, match="more than 16,384 parts"):
            to_image(data)

    assert processor_s(refused) < 0.2


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    data = picture("JPEG", (640, 640), progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert to_image(data[:-2] + last * 40 + data[-2:]).width == 640
    thousands = data[:-2] + last * 5000 + data[-2:]

    def refused() -> None:
        with pytest.raises(InvalidImageError, match="more than 64 scans"):
            to_image(thousands)

    assert processor_s(refused) < 0.2


@pytest.mark.parametrize("window", [2, 3, 7, 8])
def test_a_scan_is_counted_wherever_its_marker_lies(
    monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(anatomy, "_WINDOW_BYTES", window)
    data = picture("JPEG", (64, 64), progressive=True)
    scans = data.count(b"\xff\xda")
    assert to_image(data, limits=Limits(image_scans=scans)).width == 64
    with pytest.raises(InvalidImageError, match="scans"):
        to_image(data, limits=Limits(image_scans=scans - 1))


def test_a_large_photograph_is_judged_in_milliseconds() -> None:
    noise = Image.effect_noise((4000, 3000), 90).convert("RGB")
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=92)
    data = file.getvalue()
    assert len(data) > 5_000_000
    assert to_image(data).width == 4000
    assert processor_s(lambda: to_image(data)) < 0.2
