"""An imported SentencePiece tokenizer splits text as SentencePiece splits it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb2

from inference.engine.text.vocabulary import Vocabulary
from tests.engine.gguf_texts import (
    assert_told_as_streamed,
    corpus,
    imported,
    refusal_of,
    texts,
)

if TYPE_CHECKING:
    from pathlib import Path

SPACE = "\u2581"
USER_DEFINED = 4


def sentencepiece_model(**options: Any) -> sentencepiece.SentencePieceProcessor:
    """Train a small one, with the options of Llama's and Gemma's."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()),
        model_writer=trained,
        **{
            "model_type": "bpe",
            "vocab_size": 1500,
            "byte_fallback": True,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "split_digits": True,
            "allow_whitespace_only_pieces": True,
            "character_coverage": 0.999,
            "minloglevel": 2,
            "num_threads": 1,
            **options,
        },
    )
    return sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())


def metadata_of(
    model: sentencepiece.SentencePieceProcessor, *, prefix: bool = True
) -> dict[str, Any]:
    """Write its pieces down as llama.cpp's converter does."""
    proto = pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString(model.serialized_model_proto())
    return {
        "model": "llama",
        "tokens": [
            piece.piece.replace(SPACE, " ")
            if piece.type == USER_DEFINED
            else piece.piece
            for piece in proto.pieces
        ],
        "scores": [piece.score for piece in proto.pieces],
        "token_type": [piece.type for piece in proto.pieces],
        "bos_token_id": model.bos_id(),
        "eos_token_id": model.eos_id(),
        "unknown_token_id": model.unk_id(),
        "add_space_prefix": prefix,
    }


def test_text_is_split_as_sentencepiece_splits_it(tmp_path: Path) -> None:
    model = sentencepiece_model()

    tokenizer = imported(tmp_path, metadata_of(model))

    for text in texts():
        found = tokenizer.encode(text, add_special_tokens=False)
        assert found == model.encode(text), text
        assert_told_as_streamed(tokenizer, text)


def test_a_text_begins_with_its_first_token_unless_the_file_says_no(
    tmp_path: Path,
) -> None:
    model = sentencepiece_model()
    for folder in ("usual", "without"):
        (tmp_path / folder).mkdir()
    without = metadata_of(model) | {"add_bos_token": False, "add_eos_token": True}

    usual = imported(tmp_path / "usual", metadata_of(model))
    other = imported(tmp_path / "without", without)

    assert usual.encode("a") == [model.bos_id(), *model.encode("a")]
    assert other.encode("a") == [*model.encode("a"), model.eos_id()]


def test_pieces_defined_by_the_user_are_found_first(tmp_path: Path) -> None:
    """As in Gemma: no space before a text, runs of spaces and tags are pieces."""
    spaces = [SPACE * count for count in (2, 3, 5, 7)]
    model = sentencepiece_model(
        add_dummy_prefix=False,
        user_defined_symbols=[*spaces, "\n", "\n\n", "<tag>"],
    )

    tokenizer = imported(
        tmp_path, metadata_of(model, prefix=False), architecture="gemma2"
    )

    for text in texts():
        found = tokenizer.encode(text, add_special_tokens=False)
        assert found == model.encode(text), text
        assert_told_as_streamed(tokenizer, text)


def test_gemma_has_no_space_before_a_text_also_where_its_file_does_not_say(
    tmp_path: Path,
) -> None:
    model = sentencepiece_model(add_dummy_prefix=False)
    metadata = metadata_of(model)
    del metadata["add_space_prefix"]

    tokenizer = imported(tmp_path, metadata, architecture="gemma")

    assert tokenizer.encode("the", add_special_tokens=False) == model.encode("the")


def test_each_part_of_a_conversation_begins_with_a_space(tmp_path: Path) -> None:
    model = sentencepiece_model(control_symbols=["<turn>"])

    tokenizer = imported(tmp_path, metadata_of(model))

    turn = model.piece_to_id("<turn>")
    found = tokenizer.encode("<turn>self is<turn>", add_special_tokens=False)
    assert found == [turn, *model.encode("self is"), turn]


def test_a_space_written_after_an_instruction_token_is_the_one(tmp_path: Path) -> None:
    """As in Mistral from v0.3 on, whose template says `[INST] Hello`."""
    model = sentencepiece_model(control_symbols=["[INST]"])

    tokenizer = imported(tmp_path, metadata_of(model))

    instruction = model.piece_to_id("[INST]")
    for text in ("[INST] the text", "[INST]the text"):
        found = tokenizer.encode(text, add_special_tokens=False)
        assert found == [instruction, *model.encode("the text")]
    assert_told_as_streamed(tokenizer, "In  between\n  spaces")


def test_without_byte_tokens_what_is_unknown_is_one_token(tmp_path: Path) -> None:
    model = sentencepiece_model(byte_fallback=False, character_coverage=0.98)

    tokenizer = imported(tmp_path, metadata_of(model))

    for text in ("the 東京 text", "🙂🙂 x", "def"):
        found = tokenizer.encode(text, add_special_tokens=False)
        assert found == model.encode(text)


def test_the_server_can_guide_an_imported_vocabulary(tmp_path: Path) -> None:
    model = sentencepiece_model()
    tokenizer = imported(tmp_path, metadata_of(model))
    words = Vocabulary(
        tokenizer._tokenizer,
        size=model.get_piece_size(),
        eos_ids=frozenset(tokenizer.eos_token_ids),
    )

    spelled = b"".join(map(words.bytes_of, model.encode("Köln 🙂\n")))

    assert words.load() is not None
    assert spelled == " Köln 🙂\n".encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": [0.0]}, "1500 tokens have 1 scores"),
        ({"token_type": [1, 1]}, "1500 tokens have 2 types"),
        ({"remove_extra_whitespaces": True}, "tokenizer.ggml.remove_extra_white"),
        ({"precompiled_charsmap": [1, 2]}, "tokenizer.ggml.precompiled_charsmap is"),
        ({"eos_token_id": 1500}, "tokenizer.ggml.eos_token_id 1500 is not one of 1500"),
        ({"model": "t5"}, "tokenizer t5 is not imported; gpt2 (byte-level BPE) and"),
        ({"add_bos_token": 1}, "tokenizer.ggml.add_bos_token is neither true nor"),
        ({"token_type": [1] * 1500}, "the tokenizer has 0 of 256 byte tokens"),
        ({"token_type": [6] * 100 + [1] * 1400}, "the tokenizer has 97 of 256 byte"),
        ({"tokens": ["a"] * 1500}, "two tokens are 'a'"),
    ],
)
def test_it_refuses_a_damaged_sentencepiece_tokenizer(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    tokenizer = metadata_of(sentencepiece_model()) | changes

    assert refusal_of(tmp_path, tokenizer).startswith(message)


def test_it_refuses_a_text_without_first_or_last_token(tmp_path: Path) -> None:
    tokenizer = metadata_of(sentencepiece_model())
    for name, verb in (("eos", "ends"), ("bos", "begins")):
        changed = {k: v for k, v in tokenizer.items() if k != f"{name}_token_id"}
        message = refusal_of(tmp_path, changed)
        assert message == f"the file does not say which token {verb} a text"
