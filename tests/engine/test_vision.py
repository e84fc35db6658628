"""A vision model in the batch: what it sees, in any company, and what it remembers."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from inference.core.frames import Decode
from inference.core.requests import (
    Grammar,
    GrammarKind,
    SamplingSpec,
    Tool,
    ToolMode,
    ToolUse,
)
from inference.engine.loading.vision_model import load_vision_model
from tests.engine.vision_engine import GREEDY, Turn, VisionEngine
from tests.pictures import ALL, COLOURS, ONE, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.engine.loading.text_model import TextModel

NAMES = list(COLOURS)
SPEC = SamplingSpec(temperature=0.0, max_tokens=40)


@pytest.fixture(scope="module")
def text(tiny_model_dir: Path) -> TextModel:
    return load_vision_model(tiny_model_dir)


@pytest.fixture
def engine(text: TextModel) -> Iterator[VisionEngine]:
    assert text.vision is not None
    text.vision.encoder.features.clear()
    with closing(VisionEngine(text)) as engine:
        yield engine


@pytest.fixture
def encodings(text: TextModel, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each run of the vision tower."""
    assert text.vision is not None
    ran: list[Any] = []
    tower = text.model.model.vision_tower
    kind = type(tower)
    original = kind.__call__

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        ran.append(args)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, "__call__", counted)
    return ran


def user(*parts: Any) -> Turn:
    return ("user", list(parts))


def test_it_says_that_it_sees(text: TextModel) -> None:
    assert text.capabilities == ("text", "vision")
    assert text.is_batchable
    assert text.notes == ()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_names_eleven_colours_of_images_never_seen_before(
    engine: VisionEngine, count: int
) -> None:
    wanted, asked = {}, {}
    for at in range(len(NAMES)):
        shown = [NAMES[(at + 3 * k) % len(NAMES)] for k in range(count)]
        parts = [(name, 1000 + at) for name in shown]
        asked[at] = engine.ask(user(*parts, ONE if count == 1 else ALL))
        wanted[at] = " then ".join(shown)
    assert {at: engine.answer(number) for at, number in asked.items()} == wanted


def test_it_answers_with_the_images_in_the_order_they_were_sent(
    engine: VisionEngine,
) -> None:
    red, blue = ("red", 1), ("blue", 2)
    assert engine.reply(user(red, blue, ALL)) == "red then blue"
    assert engine.reply(user(blue, red, ALL)) == "blue then red"
    assert engine.reply(user(red, "What colours", blue, " are these images?")) == (
        "red then blue"
    )


def test_it_keeps_each_image_on_its_own_turn(engine: VisionEngine) -> None:
    talk = (user(("red", 1), ONE), ("assistant", ["red"]))
    assert engine.reply(*talk, user(("blue", 2), ONE)) == "blue"
    both = (*talk, user(("blue", 2), "What colour is the first image?"))
    assert engine.reply(*both) == "red"


def test_it_answers_texts_between_images(engine: VisionEngine) -> None:
    numbers = [
        engine.ask(user("Count to ten.")),
        engine.ask(user(("green", 5), ONE)),
        engine.ask(user("Tell me a joke")),
    ]
    assert [engine.answer(number) for number in numbers] == [
        "one two three four five six seven eight nine ten",
        "green",
        "I can only talk about images.",
    ]


# --- company

MIXED: list[tuple[Turn, ...]] = [
    (user(("red", 1), ONE),),
    (user("Count to twenty."),),
    (user(("blue", 2), ("green", 3), ALL),),
    (user("Tell me a joke"),),
    (user(("pink", 4), ("cyan", 5), ("black", 6), ALL),),
    (user(("white", 7), "Describe the image."),),
    (user(("orange", 8), ONE), ("assistant", ["orange"]), user("What colour is it?")),
    (user(("gray", 9), "What colour is this image? Answer in JSON."),),
    (user("What is the capital of France? " * 8),),
    (user(("purple", 10), ("yellow", 11), "What colour is the second image?"),),
    (user("Hello!"),),
    (user(("red", 12), ("red", 13), "Are the images the same colour?"),),
]


def alone(engine: VisionEngine, spec: SamplingSpec = SPEC) -> list[str]:
    return [engine.reply(*turns, spec=spec) for turns in MIXED]


def staggered(
    engine: VisionEngine, specs: dict[int, SamplingSpec] | None = None
) -> list[str]:
    """Ask 24 mixed requests, some while others answer; return the answers."""
    specs = specs or {}
    numbers = []
    for at, turns in enumerate(MIXED * 2):
        numbers.append(engine.ask(*turns, spec=specs.get(at, SPEC)))
        for _ in range(at % 4):
            engine.turn()
    return [engine.answer(number) for number in numbers]


def test_it_gives_each_of_24_mixed_requests_the_answer_it_gets_alone(
    engine: VisionEngine,
) -> None:
    assert staggered(engine) == alone(engine) * 2
    # Some of them were there together.
    assert max(engine.company) >= 6


def test_a_row_that_samples_differently_changes_no_other(engine: VisionEngine) -> None:
    before = staggered(engine)
    hot = SamplingSpec(temperature=2.0, seed=3, max_tokens=40)
    after = staggered(engine, {4: hot})
    assert after[4] != before[4]
    assert after[:4] + after[5:] == before[:4] + before[5:]


def test_a_seed_gives_the_same_text_about_an_image_in_any_company(
    engine: VisionEngine,
) -> None:
    hot = SamplingSpec(temperature=1.5, seed=11, max_tokens=40)
    only = engine.reply(*MIXED[4], spec=hot)
    assert staggered(engine, {4: hot})[4] == only


def test_it_answers_on_when_others_are_given_up(engine: VisionEngine) -> None:
    numbers = [engine.ask(*turns, spec=SPEC) for turns in MIXED[:6]]
    engine.cancel(numbers[2])
    for _ in range(3):
        engine.turn()
    engine.cancel(numbers[1])
    wanted = alone(engine)
    for at in (0, 3, 4, 5):
        assert engine.answer(numbers[at]) == wanted[at]
    assert {engine.deltas[numbers[at]].finish for at in (1, 2)} == {"cancelled"}


# --- what it remembers


def test_a_second_turn_about_an_image_does_not_encode_it_again(
    engine: VisionEngine, encodings: list[Any]
) -> None:
    first = engine.ask(user(("red", 1), ONE))
    assert engine.answer(first) == "red"
    assert len(encodings) == 1
    talk = (user(("red", 1), ONE), ("assistant", ["red"]))
    second = engine.ask(*talk, user("What colour is it?"))
    assert engine.answer(second) == "red"
    assert len(encodings) == 1
    third = engine.ask(*talk, user(("blue", 1), "What colour is the first image?"))
    assert engine.answer(third) == "red"
    assert len(encodings) == 2
    looks = [engine.looks[number] for number in (first, second, third)]
    assert [look.cached for look in looks] == [0, 1, 1]
    assert looks[0].encode_s > 0.0
    assert looks[1].encode_s == 0.0


def test_it_encodes_an_image_that_is_shown_twice_once(
    engine: VisionEngine, encodings: list[Any]
) -> None:
    red = ("red", 1)
    assert engine.reply(user(red, red, ALL)) == "red then red"
    assert len(encodings) == 1


def test_it_never_mixes_up_two_images_of_one_size(engine: VisionEngine) -> None:
    red, blue = (
        encoded(Image.new("RGB", (64, 64), shade))
        for shade in ((255, 0, 0), (0, 0, 255))
    )
    assert [engine.reply(user(one, ONE)) for one in (red, blue, red)] == [
        "red",
        "blue",
        "red",
    ]


def test_it_looks_again_at_an_image_it_had_to_forget(
    engine: VisionEngine, encodings: list[Any], text: TextModel
) -> None:
    assert engine.reply(user(("red", 1), ONE)) == "red"
    assert text.vision is not None
    text.vision.encoder.features.clear()
    assert engine.reply(user(("red", 1), ONE)) == "red"
    assert len(encodings) == 2


def test_it_counts_the_tokens_of_images(engine: VisionEngine) -> None:
    number = engine.ask(user(("red", 1), ("blue", 2), ALL))
    bare = engine.ask(user(ALL))
    prepared = engine.prepared[number]
    assert prepared.image_tokens >= 8
    # Each image stands between two tokens of its own.
    extra = prepared.tokens - engine.prepared[bare].tokens
    assert extra == prepared.image_tokens + 4
    assert engine.prepared[bare].image_tokens == 0


# --- what holds for texts holds for images

COLOUR = {
    "type": "object",
    "properties": {"color": {"type": "string", "enum": NAMES}},
    "required": ["color"],
    "additionalProperties": False,
}


def test_it_keeps_to_a_schema_about_an_image(engine: VisionEngine) -> None:
    grammar = Grammar(GrammarKind.JSON_SCHEMA, json.dumps(COLOUR), "response_format")
    numbers = [
        engine.ask(user((name, 77), f"{ONE} Answer in JSON."), grammar=grammar)
        for name in NAMES
    ]
    said = [json.loads(engine.answer(number)) for number in numbers]
    assert said == [{"color": name} for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_it_calls_a_tool_about_an_image(engine: VisionEngine, name: str) -> None:
    tools = ToolUse(
        (Tool("tell", "Tells.", COLOUR),), mode=ToolMode.FUNCTION, function="tell"
    )
    number = engine.ask(user((name, 3), f"{ONE} Answer in JSON."), tools=tools)
    engine.answer(number)
    pieces = engine.deltas[number].tool_calls
    assert [piece.name for piece in pieces if piece.name] == ["tell"]
    said = "".join(piece.arguments for piece in pieces)
    assert json.loads(said) == {"color": name}


def test_it_stops_at_a_stop_string_about_images(engine: VisionEngine) -> None:
    spec = SamplingSpec(temperature=0.0, max_tokens=40, stop=(" then",))
    number = engine.ask(user(("red", 1), ("blue", 2), ALL), spec=spec)
    assert engine.answer(number) == "red"
    assert engine.deltas[number].finish == "stop"


def test_several_answers_to_one_prompt_share_its_images(
    engine: VisionEngine, encodings: list[Any]
) -> None:
    number, _ = engine.prepare(user(("red", 1), ("blue", 2), ALL))
    engine.loop.post(Decode((101, 102, 103), number, GREEDY))
    assert [engine.answer(one) for one in (101, 102, 103)] == ["red then blue"] * 3
    assert len(encodings) == 2
