"""Stop strings never show, wherever the text happens to be cut."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from inference.parsing.stops import StopMatcher

TEXT = "one two three STOP four"


def shown_when_cut(text: str, stops: tuple[str, ...], cuts: list[int]) -> str:
    matcher = StopMatcher(stops)
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    shown = "".join(matcher.feed(piece) for piece in pieces)
    return shown if matcher.stopped else shown + matcher.flush()


@pytest.mark.parametrize("seed", range(25))
def test_it_cuts_at_the_stop_string_however_the_text_arrives(seed: int) -> None:
    rng = random.Random(seed)
    cuts = [rng.randrange(len(TEXT)) for _ in range(rng.randrange(12))]
    assert shown_when_cut(TEXT, ("STOP",), cuts) == "one two three "


@pytest.mark.parametrize("seed", range(25))
def test_it_shows_everything_when_no_stop_string_comes(seed: int) -> None:
    rng = random.Random(seed)
    cuts = [rng.randrange(len(TEXT)) for _ in range(rng.randrange(12))]
    assert shown_when_cut(TEXT, ("STOPS", "fourth"), cuts) == TEXT


def test_it_shows_at_once_what_cannot_become_a_stop_string() -> None:
    matcher = StopMatcher(("END",))
    assert matcher.feed("hello E") == "hello "
    assert matcher.feed("N") == ""
    assert matcher.feed("E") == "EN"


def test_it_takes_the_earliest_of_several_stop_strings() -> None:
    matcher = StopMatcher(("three", "two"))
    assert matcher.feed("one two three") == "one "
    assert matcher.stopped


def test_it_shows_nothing_after_the_stop() -> None:
    matcher = StopMatcher(("\n\n",))
    assert matcher.feed("a\n") == "a"
    assert matcher.feed("\nb") == ""
    assert matcher.feed("more") == ""
    assert matcher.flush() == ""


def test_it_passes_text_through_without_stop_strings() -> None:
    matcher = StopMatcher(())
    assert matcher.feed("anything") == "anything"
    assert matcher.flush() == ""


@pytest.mark.parametrize("seed", range(25))
def test_it_tells_which_stop_string_was_met(seed: int) -> None:
    rng = random.Random(seed)
    edges = [0, *sorted(rng.sample(range(len(TEXT)), 3)), len(TEXT)]
    matcher = StopMatcher(("four", "STOP", "five"))
    for a, b in pairwise(edges):
        matcher.feed(TEXT[a:b])
    assert matcher.met == "STOP"
