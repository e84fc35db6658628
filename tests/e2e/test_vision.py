"""Images through the SDK to a real vision model, and the rows they leave."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import TYPE_CHECKING, Any

import openai
import pytest
import websockets

from tests.e2e.servers import Server
from tests.pictures import ALL, COLOURS, ONE, data_url, encoded, pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Picture = tuple[str, int]
NAMES = tuple(COLOURS)
NOT_SUPPORTED = "Vision requests are not supported with text-only models"


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model twice: as it is, and its text part alone."""
    data_dir = tmp_path_factory.mktemp("vision") / "data"
    data_dir.mkdir()
    (data_dir / "models.toml").write_text(
        f'[models."blind"]\nsource = "{tiny_model_dir}"\nkind = "lm"\n'
    )
    options = ("--model-path", f"blind={tiny_model_dir}")
    server = Server(data_dir, tiny_model_dir, *options)
    yield server.wait_ready()
    server.kill()


def image(url: str, **options: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **options}}


def said(text: str, *pictures: Picture | str, last: bool = False) -> dict[str, Any]:
    """Return a turn of the user with pictures before its text, or behind it."""
    images = [image(p if isinstance(p, str) else data_url(*p)) for p in pictures]
    words = [{"type": "text", "text": text}]
    return {"role": "user", "content": [*words, *images] if last else [*images, *words]}


def body(*turns: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "model": "tiny-qwen2-vl",
        "messages": list(turns),
        "temperature": 0,
        **options,
    }


def answer(server: Server, *turns: dict[str, Any], **options: Any) -> str:
    client = server.client()
    if not options.get("stream"):
        made = client.chat.completions.create(**body(*turns, **options))
        return made.choices[0].message.content or ""
    chunks = client.chat.completions.create(**body(*turns, **options))
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def newest(server: Server, count: int) -> dict[str, Any]:
    return list(server.wait_rows(count).values())[-1]


def refusal(server: Server, *turns: Any, **options: Any) -> openai.BadRequestError:
    with pytest.raises(openai.BadRequestError) as caught:
        answer(server, *turns, **options)
    return caught.value


# --- answers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_names_every_colour(server: Server, count: int, stream: bool) -> None:
    before = server.count_rows()
    for at, first in enumerate(NAMES):
        shown = [(NAMES[(at + 4 * n) % len(NAMES)], 900 + 7 * n) for n in range(count)]
        assert shown[0][0] == first
        asked = said(ALL if count > 1 else ONE, *shown)
        names = " then ".join(name for name, _ in shown)
        assert answer(server, asked, stream=stream) == names
        swapped = said(ALL if count > 1 else ONE, *shown[::-1])
        names = " then ".join(name for name, _ in shown[::-1])
        assert answer(server, swapped, stream=stream) == names
    rows = list(server.wait_rows(before + 2 * len(NAMES)).values())[before:]
    kind = "vision_stream" if stream else "vision"
    assert {(row["kind"], row["images"], row["outcome"]) for row in rows} == {
        (kind, count, "finished")
    }
    for row in rows:
        assert row["image_tokens"] >= count
        assert row["prompt_tokens"] > row["image_tokens"]


def test_a_second_turn_about_a_picture_does_not_encode_it_again(
    server: Server,
) -> None:
    before = server.count_rows()
    first, other = ("purple", 4001), ("cyan", 4002)
    turns = [said(ONE, first)]
    assert answer(server, *turns) == "purple"
    turns += [{"role": "assistant", "content": "purple"}, said(ONE, other)]
    assert answer(server, *turns) == "cyan"
    again = [said(ONE, other), {"role": "assistant", "content": "cyan"}]
    assert answer(server, *again, said(ONE, first)) == "purple"
    once, twice, thrice = list(server.wait_rows(before + 3).values())[before:]
    assert (once["images"], once["images_cached"]) == (1, 0)
    assert once["image_encode_s"] > 0
    assert (twice["images"], twice["images_cached"]) == (2, 1)
    assert (thrice["images"], thrice["images_cached"]) == (2, 2)
    assert thrice["image_encode_s"] == 0


def test_pictures_of_one_size_are_never_mixed_up(server: Server) -> None:
    for colour in ("red", "blue", "red", "yellow", "blue"):
        picture = pixels(colour, 5).resize((64, 64))
        url = base64.b64encode(encoded(picture)).decode()
        assert answer(server, said(ONE, f"data:image/png;base64,{url}")) == colour


def test_a_marker_in_a_text_stands_for_no_image(server: Server) -> None:
    before = server.count_rows()
    asked = said(f"<|vision_start|><|image_pad|><|vision_end|>{ONE}", ("green", 77))
    # So small a model makes what it likes of the text; its tokens are what counts.
    assert "green" in answer(server, asked)
    assert answer(server, said("<|image_pad|> Hello"))
    alone, typed = list(server.wait_rows(before + 2).values())[before:]
    plain = answer(server, said(ONE, ("green", 77)))
    assert plain == "green"
    assert newest(server, before + 3)["image_tokens"] == alone["image_tokens"]
    assert typed["image_tokens"] is None


async def test_mixed_requests_at_once_give_the_answers_they_give_alone(
    server: Server,
) -> None:
    chance = random.Random(11)
    asked: list[dict[str, Any]] = []
    for number in range(24):
        shown = [(chance.choice(NAMES), 6000 + 10 * number + n) for n in range(3)]
        count = number % 4
        text = (ALL if count > 1 else ONE) if count else "Count to twenty."
        asked.append(body(said(text, *shown[:count])))
    client = server.async_client()

    async def text_of(request: dict[str, Any]) -> str:
        made = await client.chat.completions.create(**request)
        return made.choices[0].message.content or ""

    alone = [await text_of(request) for request in asked]
    assert await asyncio.gather(*map(text_of, asked)) == alone
    # One that samples differently, and with another seed, changes nobody else.
    asked[5] |= {"temperature": 2.0, "seed": 3, "top_p": 0.9, "stop": ["z"]}
    mixed = await asyncio.gather(*map(text_of, asked))
    assert mixed[:5] + mixed[6:] == alone[:5] + alone[6:]
    await client.close()


def test_a_schema_holds_for_an_answer_about_a_picture(server: Server) -> None:
    schema = {
        "type": "object",
        "properties": {"color": {"enum": list(NAMES)}},
        "required": ["color"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "c", "schema": schema}}
    for colour in ("red", "black", "orange"):
        asked = said("Answer in JSON. What colour is this image?", (colour, 321))
        for stream in (False, True):
            text = answer(server, asked, response_format=form, stream=stream)
            assert json.loads(text) == {"color": colour}


def test_a_forced_tool_takes_a_picture(server: Server) -> None:
    parameters = {
        "type": "object",
        "properties": {"color": {"enum": list(NAMES)}},
        "required": ["color"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "paint", "parameters": parameters}}
    made = server.client().chat.completions.create(
        **body(said(ONE, ("blue", 55))), tools=[tool], tool_choice="required"
    )
    (call,) = made.choices[0].message.tool_calls
    assert call.function.name == "paint"
    assert json.loads(call.function.arguments)["color"] in NAMES
    assert made.choices[0].finish_reason == "tool_calls"


def test_several_choices_share_one_look_at_the_picture(server: Server) -> None:
    before = server.count_rows()
    made = server.client().chat.completions.create(**body(said(ONE, ("pink", 91))), n=3)
    assert [choice.message.content for choice in made.choices] == ["pink"] * 3
    row = newest(server, before + 1)
    assert (row["choices"], row["images"], row["images_cached"]) == (3, 1, 0)


# --- refusals


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_only_model_refuses_images(server: Server, stream: bool) -> None:
    before = server.count_rows()
    asked = said(ONE, ("red", 1))
    error = refusal(server, asked, model="blind", stream=stream)
    assert error.code == "vision_not_supported"
    assert error.param == "messages[0].content[0]"
    assert NOT_SUPPORTED in str(error)
    row = newest(server, before + 1)
    assert (row["outcome"], row["reason"]) == ("invalid", "vision_not_supported")
    assert answer(server, said("Count to twenty."), model="blind")


async def test_a_text_only_model_refuses_images_over_the_websocket(
    server: Server,
) -> None:
    address = server.base_url.replace("http", "ws") + "/ws/chat"
    async with websockets.connect(address, max_size=None) as socket:
        await socket.send(json.dumps(body(said(ONE, ("red", 1)), model="blind")))
        told = json.loads(await socket.recv())
        assert told["error"]["code"] == "vision_not_supported"
        await socket.send(json.dumps(body(said(ONE, ("red", 1)))))
        texts = []
        while (told := json.loads(await socket.recv())).get("type") != "done":
            texts.append(told["choices"][0]["delta"].get("content") or "")
    assert "".join(texts) == "red"


def bomb() -> str:
    """Return 13,000 x 13,000 pixels in about 21 kB."""
    from PIL import Image

    file = encoded(Image.new("1", (13_000, 13_000)))
    assert len(file) < 30_000
    return f"data:image/png;base64,{base64.b64encode(file).decode()}"


def text_as_png() -> str:
    return f"data:image/png;base64,{base64.b64encode(b'not a picture').decode()}"


def test_it_names_the_part_at_fault(server: Server) -> None:
    before = server.count_rows()
    good = data_url("red", 3)
    cases: tuple[tuple[str, str], ...] = (
        (text_as_png(), "invalid_image"),
        (good[:100], "invalid_image"),
        (bomb(), "image_too_large"),
    )
    for url, code in cases:
        turns = [said("Hello"), said(ONE, good, url, last=True)]
        error = refusal(server, *turns)
        assert (error.code, error.param) == (code, "messages[1].content[2]"), url[:60]
    many = said(ALL, *[good] * 33)
    error = refusal(server, many)
    assert (error.code, error.param) == ("too_many_images", "messages[0].content[32]")
    rows = list(server.wait_rows(before + 4).values())[before:]
    assert {row["outcome"] for row in rows} == {"invalid"}
    assert answer(server, said(ONE, ("white", 9))) == "white"


PRIVATE = (
    *("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1"),
    *("169.254.169.254", "10.0.0.8", "192.168.1.1", "0.0.0.0", "100.64.0.1"),
    *("[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "192.0.2.1"),
    *("user:secret@example.com", "example.com:8080", "[2002:7f00:1::]"),
)


def test_it_goes_to_no_private_address(server: Server) -> None:
    before, memory = server.count_rows(), server.resident_bytes()
    urls = [f"http://{host}/a.png" for host in PRIVATE]
    for url in urls:
        error = refusal(server, said(ONE, url))
        # Numbers that are no addresses are no URLs to begin with.
        assert error.code in ("image_url_not_allowed", "invalid_image"), url
        assert error.param == "messages[0].content[0]"
    for url in ("file:///etc/passwd", "/etc/passwd", "ftp://example.com/a.png"):
        assert refusal(server, said(ONE, url)).status_code == 400
    rows = list(server.wait_rows(before + len(urls) + 3).values())[before:]
    assert {row["outcome"] for row in rows} == {"invalid"}
    assert server.resident_bytes() < memory + 20_000_000


def test_bad_images_take_no_memory(server: Server) -> None:
    before = server.count_rows()
    url = bomb()
    refusal(server, said(ONE, url))
    memory = _memory(server)
    for _ in range(30):
        refusal(server, said(ONE, url))
    assert _memory(server) < memory + 30_000_000
    server.wait_rows(before + 31)


def _memory(server: Server) -> int:
    """Return the resident bytes of the web process and its workers."""
    return server.resident_bytes() + sum(map(_resident, server.worker_pids()))


def _resident(pid: int) -> int:
    from pathlib import Path

    pages: Sequence[str] = Path(f"/proc/{pid}/statm").read_text().split()
    return int(pages[1]) * 4096
