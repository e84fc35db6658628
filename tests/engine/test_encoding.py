"""Long texts become exactly the tokens that they are, or are refused within bounds."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from inference.core.errors import (
    ContextLengthExceededError,
    InferenceError,
    InvalidRequestError,
)
from inference.core.frames import to_bytes
from inference.engine.text.encoder_process import CPU_S, EncoderProcess
from inference.engine.text.encoding import BORDER_TOKENS, LONG_CHARS, ModelEncoder
from inference.prompting.encoder import EncodeText
from tests.e2e.servers import SOON_S

if TYPE_CHECKING:
    from pathlib import Path

WORDS = (
    "The kestrel said: 'Über 12 Vögel, 漢字, they\\'re\r\n\n  here!' \t<|im_end|> 🙂"
)
LONG = WORDS * (3 * LONG_CHARS // len(WORDS))


@pytest.fixture(scope="module")
def tokenizer(tiny_model_dir: Path) -> Any:
    return load_tokenizer(tiny_model_dir)


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> ModelEncoder:
    return ModelEncoder(tokenizer, context_length=1_000_000)


def process_of(tokenizer: Any, **options: Any) -> EncoderProcess:
    return EncoderProcess(tokenizer.backend_tokenizer.to_str(), **options)


@pytest.mark.parametrize("options", [{}, {"add_special_tokens": False}])
@pytest.mark.parametrize("text", [LONG, " " * 100_000, "a" * 100_000, WORDS, ""])
def test_a_text_of_any_length_has_the_tokens_that_its_tokenizer_gives_it(
    tokenizer: Any, encoder: ModelEncoder, text: str, options: dict[str, Any]
) -> None:
    encoder.admit(text)
    assert encoder.encode(text, **options) == tokenizer.encode(text, **options)


def test_a_text_of_more_characters_than_the_context_can_hold_is_not_encoded(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ModelEncoder(tokenizer, context_length=100)
    monkeypatch.setattr(encoder, "_count", None)
    longest = max(len(token) for token in tokenizer.get_vocab())
    with pytest.raises(ContextLengthExceededError, match="at least 100 tokens") as told:
        encoder.admit("x" * (100 * 4 * longest))
    assert told.value.figures == {"prompt_tokens": 100, "context_length": 100}
    assert told.value.param == "messages"
    monkeypatch.undo()
    encoder.admit("x" * 98)


@pytest.mark.parametrize("unit", [WORDS, " ", "a", "\n", "ab ", "漢", "1", "the the"])
def test_a_text_that_fits_passes_however_its_pieces_are_cut(
    tokenizer: Any, unit: str
) -> None:
    text = unit * (4 * LONG_CHARS // len(unit))
    tokens = len(tokenizer.encode(text))
    ModelEncoder(tokenizer, context_length=tokens + 1).admit(text)
    least = tokens - BORDER_TOKENS * (len(text) // LONG_CHARS + 2)
    with pytest.raises(ContextLengthExceededError):
        ModelEncoder(tokenizer, context_length=least).admit(text)


def test_a_short_text_does_not_wait_for_a_long_one(
    tokenizer: Any, encoder: ModelEncoder
) -> None:
    encoder.encode(LONG)  # so that its process is there
    order: list[str] = []

    def encode_long() -> None:
        encoder.encode(LONG * 10)
        order.append("long")

    thread = threading.Thread(target=encode_long)
    thread.start()
    for _ in range(3):
        encoder.encode(WORDS)
        order.append("short")
    thread.join()
    assert order == ["short", "short", "short", "long"]


def test_a_text_that_takes_too_long_is_refused_and_the_next_is_encoded(
    tokenizer: Any,
) -> None:
    process = process_of(tokenizer, cpu_s=0.3)
    with pytest.raises(InvalidRequestError, match=r"takes over 0\.3 s") as told:
        process.encode(LONG * 10)
    assert (told.value.code, told.value.param) == ("text_not_readable", "messages")
    assert process.encode(WORDS) == tokenizer.encode(WORDS)
    process.end()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds addresses")
def test_a_text_that_takes_too_much_memory_is_refused_and_the_next_is_encoded(
    tokenizer: Any,
) -> None:
    process = process_of(tokenizer, addresses_bytes=300_000_000)
    with pytest.raises(InvalidRequestError, match="too much memory") as told:
        process.encode(LONG * 10)
    assert told.value.code == "text_not_readable"
    assert process.encode(WORDS) == tokenizer.encode(WORDS)
    process.end()


def test_what_a_tokenizer_gives_up_on_is_refused_with_its_reason(
    tokenizer: Any,
) -> None:
    process = process_of(tokenizer)
    with pytest.raises(InvalidRequestError, match="gave up on it") as told:
        process.encode(" " * 16_000_000)
    assert told.value.code == "text_not_readable"
    assert process.encode(WORDS) == tokenizer.encode(WORDS)
    process.end()


class Interrupted:
    """A connection whose process is killed when its answer is waited for."""

    def __init__(self, process: EncoderProcess) -> None:
        assert process._process is not None
        assert process._connection is not None
        self._process, self._connection = process._process, process._connection
        self.close = self._connection.close

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data)

    def recv(self, size: int) -> bytes:
        self._process.kill()
        self._process.wait()
        return self._connection.recv(size)


def test_a_process_that_somebody_killed_is_replaced(tokenizer: Any) -> None:
    process = process_of(tokenizer)
    process.encode(WORDS)
    assert process._process is not None
    process._process.kill()
    process._process.wait()
    assert process.encode(WORDS) == tokenizer.encode(WORDS)
    process.end()


def test_nobody_s_text_is_blamed_where_the_process_was_killed(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = process_of(tokenizer)
    process.encode(WORDS)
    monkeypatch.setattr(process, "_connection", Interrupted(process))
    with pytest.raises(InferenceError, match=r"ended \(-9\)") as told:
        process.encode(WORDS)
    assert not isinstance(told.value, InvalidRequestError)
    assert process.encode(WORDS) == tokenizer.encode(WORDS)
    process.end()


def test_the_process_ends_with_its_worker_in_the_middle_of_a_text(
    tokenizer: Any,
) -> None:
    process = process_of(tokenizer)
    process.encode(WORDS)
    assert process._process is not None
    assert process._connection is not None
    job = EncodeText(LONG * 20, add_special_tokens=True, cpu_s=CPU_S)
    process._connection.sendall(to_bytes(job))
    process._connection.close()
    # Had it read the text to its end, nobody would have been there to be told.
    assert process._process.wait(SOON_S) == 0
