"""What an answer comes to: counted by the server where it counts, timed here."""

from __future__ import annotations

import pytest

from inference.client.answers import Answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_speed_counts_from_the_first_token_and_ttft_from_the_question(
    clock: Clock,
) -> None:
    answer = Answer(clock=clock)
    clock.now = 5.0
    answer.asked()
    clock.now = 7.0
    answer.add(text="One")
    clock.now = 9.0
    answer.add(text=" two.")
    answer.counted({"prompt_tokens": 3, "completion_tokens": 11})
    clock.now = 9.5
    answer.ended("stop")
    clock.now = 100.0
    figures = answer.figures()
    assert (figures.ttft_s, figures.total_s, figures.tokens_per_s) == (2.0, 4.5, 5.0)
    assert (figures.prompt_tokens, figures.tokens, figures.is_counted) == (3, 11, True)


def test_an_answer_that_came_whole_is_as_fast_as_all_of_it(clock: Clock) -> None:
    answer = Answer(clock=clock)
    clock.now = 2.0
    answer.add(text="Whole.")
    answer.counted({"completion_tokens": 10})
    answer.ended("stop")
    assert answer.figures().tokens_per_s == 5.0


def test_without_a_count_pieces_are_counted(clock: Clock) -> None:
    answer = Answer(clock=clock)
    assert answer.figures().tokens_per_s is None
    for piece in ("a", "", "b"):
        answer.add(text=piece)
    figures = answer.figures()
    assert (figures.tokens, figures.is_counted) == (2, False)


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_thinking_between_tags_is_told_apart(cut: int) -> None:
    answer = Answer()
    text = "<think>\nHm.\n</think>\n\nIt <think>s."
    for at in range(0, len(text), cut):
        answer.add(text=text[at : at + cut])
    answer.ended("stop")
    assert (answer.thinking, answer.text) == ("Hm.", "It <think>s.")


def test_only_the_first_end_counts() -> None:
    answer = Answer()
    answer.ended("length")
    answer.ended("stopped")
    answer.ended(error="late")
    assert (answer.finish_reason, answer.error) == ("length", "")
