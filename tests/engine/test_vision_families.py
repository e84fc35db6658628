"""Architectures of mlx-vlm: what the batch makes of images is what the library does."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import RotatingKVCache
from mlx_vlm.generate import generate_step

from inference.core.requests import SamplingSpec
from inference.engine.caches.prefixes import PrefixCache
from inference.engine.row_caches.maker import CacheMaker, cache_maker_for
from inference.engine.sequences.sequence import Sequence
from inference.engine.vision.encoding import ImageEncoder, Picture, PromptPictures
from inference.engine.vision.families import FamilyError, family_of
from inference.engine.vision.language import VisionLanguageModel, embeddings_of
from tests.engine.driving import Run, SmallChunks
from tests.engine.random_vision_models import (
    APART,
    IMAGE,
    TOGETHER,
    VISION_START,
    MadeImage,
    random_image,
    random_vision_model,
    together,
)

if TYPE_CHECKING:
    from inference.engine.caches.row_places import PromptImages
    from inference.engine.prefill.groups import PrefillPace

TOKENS = 14
# The images of each prompt: how many tokens high and wide, where one may choose.
PROMPTS: tuple[tuple[tuple[int, int], ...], ...] = (
    (),
    ((2, 2),),
    ((2, 3), (1, 4)),
    (),
    ((3, 3), (2, 2), (1, 1)),
    ((4, 1),),
)


class Prompt(NamedTuple):
    tokens: list[int]
    images: list[MadeImage]


class Loaded:
    """A model, and how it is served."""

    def __init__(self, architecture: str) -> None:
        self.architecture = architecture
        self.model = random_vision_model(architecture)
        self.family = family_of(architecture, self.model)
        self.encoder = ImageEncoder(self.model, self.family)
        language = VisionLanguageModel(self.model, self.family)
        maker = cache_maker_for(language, kv_bits=None)
        self.caches: CacheMaker = self.family.caches(maker)

    @property
    def slides(self) -> bool:
        """Whether some layers forget what is far back: they cannot go back to it."""
        return any(isinstance(cache, RotatingKVCache) for cache in self.caches.make())

    def prompt(self, number: int) -> Prompt:
        """Return one of `PROMPTS`; where images are not apart it has one at most."""
        shown = PROMPTS[number]
        if not self.family.keeps_features:
            shown = shown[:1]
        images = [
            random_image(self.architecture, 10 * number + at, sides=sides)
            for at, sides in enumerate(shown)
        ]
        tokens = [1, 2 + number]
        for image in images:
            tokens += [VISION_START, *[IMAGE] * image.tokens, 5 + number]
        tokens += [20 + at for at in range(3 + 5 * number)]
        return Prompt(tokens, images)

    def sequence(self, number: int) -> Sequence:
        """Return a sequence that is to answer one of `PROMPTS`."""
        return self.asking(self.prompt(number), number)

    def asking(self, prompt: Prompt, number: int) -> Sequence:
        """Return a sequence that is to answer a prompt."""
        spec = SamplingSpec(temperature=0.0, max_tokens=TOKENS)
        sequence = Sequence.of(number, prompt.tokens, spec)
        if prompt.images:
            sequence.images = self.images(prompt)
        return sequence

    def images(self, prompt: Prompt) -> PromptImages:
        """Encode a prompt's images as the loop does."""
        pictures = tuple(
            Picture(_key(image), image.tokens, dict(image.inputs))
            for image in prompt.images
        )
        columns = np.flatnonzero(np.array(prompt.tokens) == IMAGE)
        whole = PromptPictures(prompt.tokens, columns, pictures, len(pictures))
        if not self.family.keeps_features:
            return self.encoder.encode_together(whole)
        found = tuple(self.encoder.encode(picture) for picture in pictures)
        return self.encoder.place(whole, found)

    def library_features(self, prompt: Prompt) -> Any:
        """Return what the library makes of a whole prompt."""
        given = {name: mx.array(v) for name, v in together(prompt.images).items()}
        tokens = mx.array([prompt.tokens])
        mask = mx.ones(tokens.shape, dtype=mx.int32)
        pixels = given.pop("pixel_values")
        return self.model.get_input_embeddings(tokens, pixels, mask=mask, **given)

    def library_answer(self, number: int) -> list[int]:
        """Return what the library says, one prompt at a time."""
        prompt = self.prompt(number)
        language = self.model.language_model
        if hasattr(language, "_rope_deltas"):
            language._rope_deltas = language._position_ids = None
        given = together(prompt.images) if prompt.images else {}
        arrays = {name: mx.array(value) for name, value in given.items()}
        tokens = mx.array([prompt.tokens])
        steps = generate_step(
            tokens,
            self.model,
            arrays.pop("pixel_values", None),
            mx.ones(tokens.shape, dtype=mx.int32),
            max_tokens=TOKENS,
            temperature=0.0,
            **arrays,
        )
        return [int(token) for token, _ in steps][:TOKENS]

    def answers(
        self,
        numbers: list[int],
        pace: PrefillPace | None = None,
        *,
        prefixes: PrefixCache | None = None,
    ) -> dict[int, list[int]]:
        """Return what is said to some prompts, half of them joining later."""
        run = Run(self.caches, pace, prefixes=prefixes)
        half = len(numbers) // 2
        run.add(*(self.sequence(number) for number in numbers[:half]))
        for _ in range(4 if half else 0):
            run.turn()
        for number in numbers[half:]:
            run.add(self.sequence(number))
            run.turn()
        return run.finish()


def _key(image: MadeImage) -> str:
    """Name an image by its content."""
    content = b"".join(image.inputs[name].tobytes() for name in sorted(image.inputs))
    return sha256(content).hexdigest()


@cache
def loaded(architecture: str) -> Loaded:
    return Loaded(architecture)


@pytest.mark.parametrize("architecture", APART)
def test_images_encoded_one_by_one_are_what_the_library_encodes_together(
    architecture: str,
) -> None:
    model = loaded(architecture)
    assert model.family.keeps_features
    prompt = model.prompt(2)
    ours, theirs = model.images(prompt), model.library_features(prompt)
    embeddings = np.array(embeddings_of(model.model, mx.array([prompt.tokens]))[0])
    embeddings[ours.columns] = np.array(ours.rows(slice(None)))
    assert np.allclose(embeddings, np.array(theirs.inputs_embeds[0]), atol=1e-5)
    if theirs.position_ids is not None:
        assert np.array_equal(ours.positions, np.array(theirs.position_ids[:, 0]))
        assert ours.delta == theirs.rope_deltas.item()
    if theirs.deepstack_visual_embeds is not None:
        for added, wanted in zip(
            ours.layers(slice(None)), theirs.deepstack_visual_embeds, strict=True
        ):
            assert np.allclose(np.array(added), np.array(wanted), atol=1e-5)


@pytest.mark.parametrize("architecture", [*APART, *TOGETHER])
def test_a_prompt_alone_gets_the_librarys_answer(architecture: str) -> None:
    model = loaded(architecture)
    for number in range(len(PROMPTS)):
        answer = model.answers([number])[number]
        assert answer == model.library_answer(number)


@pytest.mark.parametrize("architecture", [*APART, *TOGETHER])
def test_images_reach_the_answer(architecture: str) -> None:
    model = loaded(architecture)
    seen = model.sequence(1)
    blind = Sequence.of(1, seen.prompt, seen.spec)
    said = {}
    for name, sequence in (("seen", seen), ("blind", blind)):
        run = Run(model.caches)
        run.add(sequence)
        said[name] = run.finish()[1]
    assert said["seen"] != said["blind"]


@pytest.mark.parametrize("architecture", APART)
def test_a_row_with_images_gets_the_same_answer_in_any_company(
    architecture: str,
) -> None:
    model = loaded(architecture)
    assert model.caches.is_batchable
    numbers = list(range(len(PROMPTS)))
    alone = {number: model.answers([number])[number] for number in numbers}
    assert model.answers(numbers) == alone
    assert model.answers(numbers[::-1]) == alone


@pytest.mark.parametrize("architecture", APART)
def test_a_prompt_cut_in_the_middle_of_an_image_gets_the_same_answer(
    architecture: str,
) -> None:
    model = loaded(architecture)
    numbers = list(range(len(PROMPTS)))
    whole = model.answers(numbers)
    assert model.answers(numbers, SmallChunks()) == whole


@pytest.mark.parametrize("architecture", APART)
def test_the_next_turn_about_images_goes_on_from_what_was_read(
    architecture: str,
) -> None:
    model, prefixes = loaded(architecture), PrefixCache(2**30)
    first = model.sequence(4)
    run = Run(model.caches, prefixes=prefixes)
    run.add(first)
    said = run.finish()[4]
    # What the model says is random, and may be the number of an image token.
    text = first.prompt + said[: [*said, IMAGE].index(IMAGE)]
    # With an image more than the turn before, of the size of one of its images.
    prompt = model.prompt(4)
    more = random_image(architecture, 77, sides=(2, 2))
    tokens = [*text, VISION_START, *[IMAGE] * more.tokens, 9, 8, 7]
    following = [
        model.asking(Prompt(tokens, [*prompt.images, more]), number)
        for number in (10, 11)
    ]
    wanted = following[0].named_prompt
    assert wanted is not None
    match = prefixes.find(wanted)
    assert match.diverged_at == len(text)
    assert match.held in {0 if model.slides else len(text), len(text)}
    run, fresh = Run(model.caches, prefixes=prefixes), Run(model.caches)
    run.add(following[0], model.sequence(1))
    fresh.add(following[1])
    assert run.finish()[10] == fresh.finish()[11]


@pytest.mark.parametrize("architecture", APART)
def test_the_same_question_about_another_image_is_another_prompt(
    architecture: str,
) -> None:
    model, prefixes = loaded(architecture), PrefixCache(2**30)
    images = [random_image(architecture, seed, sides=(6, 6)) for seed in (50, 51)]
    questions = [
        Prompt([1, VISION_START, *[IMAGE] * one.tokens, *range(20, 60)], [one])
        for one in images
    ]
    said = []
    for number, question in enumerate(questions):
        run = Run(model.caches, prefixes=prefixes)
        run.add(model.asking(question, number))
        fresh = Run(model.caches)
        fresh.add(model.asking(question, number))
        said.append(run.finish()[number])
        assert said[-1] == fresh.finish()[number]
    named = model.asking(questions[1], 9).named_prompt
    assert named is not None
    assert prefixes.find(named).held == (0 if model.slides else len(named) - 1)
    other = [-5 if token < 0 else token for token in named]
    assert prefixes.find(other).diverged_at == named.index(min(named))


def test_models_that_remember_one_prompt_answer_one_request_at_a_time() -> None:
    model = loaded("glm4v")
    assert not model.caches.is_batchable
    assert model.family.notes == (
        "images: those of glm4v models are encoded anew at every turn.",
        "images: glm4v models answer one request at a time.",
    )


def test_models_with_layers_between_texts_and_images_answer_one_at_a_time() -> None:
    assert not loaded("mllama").caches.is_batchable


def test_models_that_are_not_made_to_talk_with_are_refused() -> None:
    with pytest.raises(FamilyError, match="not made for conversations"):
        family_of("paligemma", loaded("llava").model)


def test_features_that_are_not_what_was_counted_are_seen_at_load() -> None:
    model = loaded("llava")
    prompt = model.prompt(1)
    image = prompt.images[0]
    short = [token for at, token in enumerate(prompt.tokens) if at != 4]
    columns = np.flatnonzero(np.array(short) == IMAGE)
    picture = Picture("", image.tokens - 1, dict(image.inputs))
    with pytest.raises(ValueError, match=r"one image per input|positions"):
        model.encoder.try_out(PromptPictures(short, columns, (picture,), 1))
