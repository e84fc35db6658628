"""One question to several models at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from inference.client.answers import Answer
from inference.client.asking import ask
from inference.client.faults import ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.client.address import ServerAddress
    from inference.client.asking import Question


def read_models(text: str) -> list[str]:
    """Return the models of `a,b`.

    Raises:
        ValueError: they are fewer than two.
    """
    models = [part.strip() for part in text.split(",") if part.strip()]
    if len(models) < 2:
        raise ValueError(f"{text!r} names fewer than two models: a,b")
    return models


def begin_answers(models: Sequence[str]) -> list[tuple[str, Answer]]:
    """Return an empty answer for each model."""
    return [(model, Answer()) for model in models]


async def ask_all(
    address: ServerAddress, question: Question, answers: Sequence[tuple[str, Answer]]
) -> None:
    """Fill all answers at once; what goes wrong with one is noted in it alone."""
    await asyncio.gather(
        *(
            _ask_one(address, replace(question, model=model), answer)
            for model, answer in answers
        )
    )


async def _ask_one(address: ServerAddress, question: Question, answer: Answer) -> None:
    try:
        await ask(address, question, answer)
    except ServerError:
        # It is noted in the answer, for all to see.
        return
