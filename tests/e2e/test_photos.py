"""Photographs and scans as phones and scanners make them, and as clients send them."""

from __future__ import annotations

import base64
import io
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from PIL import Image

from tests.e2e.servers import Server
from tests.pictures import ONE, data_url, encoded, pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

MB = 1_000_000
RED = (220, 10, 10)


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("photos"), tiny_model_dir)
    yield server.wait_ready()
    server.kill()


def ask(server: Server, *urls: str) -> str:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content: list[Any] = [*images, {"type": "text", "text": ONE}]
    made = server.client(timeout=300).chat.completions.create(
        model="tiny-qwen2-vl",
        messages=[{"role": "user", "content": content}],
        temperature=0,
    )
    return made.choices[0].message.content or ""


def url_of(file: bytes, kind: str = "jpeg") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def file_of(size: tuple[int, int], kind: str, mode: str = "RGB", **options: Any) -> str:
    file = io.BytesIO()
    Image.new("RGB", size, RED).convert(mode).save(file, kind, **options)
    return url_of(file.getvalue(), kind.lower())


def resident_bytes(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith(name))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("size", "kind", "options", "most_bytes"),
    [
        ((5712, 4284), "JPEG", {}, 200 * MB),
        ((8064, 6048), "JPEG", {}, 250 * MB),
        ((16_320, 12_240), "JPEG", {}, 250 * MB),
        ((8064, 6048), "JPEG", {"progressive": True}, 400 * MB),
        ((4960, 7016), "PNG", {}, 400 * MB),
        ((4960, 7016), "PNG", {"mode": "RGBA"}, 400 * MB),
    ],
)
def test_a_large_photograph_or_scan_is_read_in_bounded_memory(
    server: Server,
    size: tuple[int, int],
    kind: str,
    options: dict[str, Any],
    most_bytes: int,
) -> None:
    url = file_of(size, kind, **options)
    ask(server, data_url("red", 1))
    (worker,) = server.worker_pids()
    # From here on its peak is counted anew.
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before = resident_bytes(worker, "VmRSS")
    assert ask(server, url) == "red"
    taken = resident_bytes(worker, "VmHWM") - before
    print(f"{size} {kind} {options}: {taken // MB} MB")  # noqa: T201 -- for -s
    assert taken < most_bytes
    assert server.worker_pids() == [worker]


@pytest.mark.parametrize("kind", ["AVIF", "BMP"])
def test_other_formats_of_cameras_and_scanners_are_read(
    server: Server, kind: str
) -> None:
    assert ask(server, file_of((640, 480), kind)) == "red"


def test_heic_is_read_or_refused_by_the_name_of_what_it_needs(server: Server) -> None:
    if find_spec("pillow_heif") is None:
        box = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64
        with pytest.raises(openai.BadRequestError, match="pillow-heif") as refused:
            ask(server, url_of(box, "heic"))
        assert refused.value.code == "invalid_image"
        return
    import pillow_heif

    pillow_heif.register_heif_opener()
    assert ask(server, file_of((5712, 4284), "HEIF")) == "red"


def written(how: str) -> str:
    """Return a picture in base64 as some client writes it."""
    # Of noise, so that both letters are there in which the alphabets differ.
    head, text = url_of(encoded(pixels("blue", 4)), "png").split(",")
    while len(text) % 4 or not text.endswith("="):
        data = base64.b64decode(text) + b"\xfb\xff"
        text = base64.b64encode(data).decode()
    lines = [text[at : at + 76] for at in range(0, len(text), 76)]
    return {
        "without padding": f"{head},{text.rstrip('=')}",
        "in lines": f"{head},\r\n" + "\r\n".join(lines) + "\r\n",
        "URL-safe": f"{head},{text.replace('+', '-').replace('/', '_')}",
        "with parameters": f"data:image/png;name=a b.png;charset=utf-8;base64,{text}",
        "in upper case": f"DATA:IMAGE/PNG;BASE64,{text}",
    }[how]


@pytest.mark.parametrize(
    "how",
    ["without padding", "in lines", "URL-safe", "with parameters", "in upper case"],
)
def test_a_data_url_is_read_as_clients_write_it(server: Server, how: str) -> None:
    before = server.count_rows()
    assert ask(server, written(how)) == "blue"
    row = list(server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["images"]) == ("finished", 1)


def claiming(url: str, at: int, layout: str, *values: int) -> str:
    """Return a picture whose header says something else from byte `at` on."""
    head, text = url.split(",")
    data = bytearray(base64.b64decode(text))
    struct.pack_into(layout, data, at, *values)
    return f"{head},{base64.b64encode(data).decode()}"


def jpeg_claiming(width: int, height: int, **options: Any) -> str:
    url = file_of((64, 64), "JPEG", **options)
    data = base64.b64decode(url.split(",")[1])
    mark = b"\xff\xc2" if options.get("progressive") else b"\xff\xc0"
    return claiming(url, data.index(mark) + 5, ">HH", height, width)


def hostile() -> dict[str, tuple[str, str, str]]:
    """Return pictures, each with its code and what its refusal says."""
    bomb = encoded(Image.new("1", (13_000, 13_000)))
    run = claiming(file_of((64, 64), "BMP", "P"), 30, "<I", 1)
    return {
        "a bomb": (url_of(bomb), "image_too_large", "13,000 by 13,000"),
        "a JPEG of 300 MP": (
            jpeg_claiming(20_000, 15_000),
            "image_too_large",
            "200,000,000",
        ),
        "a progressive one of 144 MP": (
            jpeg_claiming(12_000, 12_000, progressive=True),
            "image_too_large",
            "to decode them takes",
        ),
        "a BMP in runs": (run, "invalid_image", "run-length"),
        "a text": (url_of(b"not a picture"), "invalid_image", "no JPEG, PNG"),
    }


@pytest.mark.parametrize("name", hostile())
def test_what_would_take_too_much_is_refused_by_name(server: Server, name: str) -> None:
    url, code, says = hostile()[name]
    before, memory = server.count_rows(), server.resident_bytes()
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        ask(server, data_url("red", 2), url)
    assert (refused.value.code, refused.value.param) == (
        code,
        "messages[0].content[1]",
    )
    row = list(server.wait_rows(before + 1).values())[-1]
    assert (row["outcome"], row["reason"]) == ("invalid", code)
    assert server.resident_bytes() < memory + 30 * MB
