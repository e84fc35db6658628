"""A GGUF file becomes a model that answers, or one line that says why not."""

from __future__ import annotations

import json
import random
import struct
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm import generate, load
from safetensors.numpy import load_file

from inference.engine.gguf.convert import convert, main, plan_of
from inference.engine.gguf.header import GGUFError
from tests.engine.gguf_file import HEADS, HIDDEN, GGUFFile, llama_tensors

if TYPE_CHECKING:
    from pathlib import Path


def refusal_of(file: GGUFFile, folder: Path) -> str:
    """Return why `file` is not imported."""
    source = file.write(folder / "model.gguf")
    with pytest.raises(GGUFError) as refusal:
        convert(source, folder / "model", dtype="float32")
    assert not (folder / "model").exists()
    return str(refusal.value)


@pytest.mark.slow
def test_the_default_model_knows_the_capital_of_france(smollm2_dir: Path) -> None:
    model, tokenizer, *_ = load(str(smollm2_dir))
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
    )

    answer = generate(model, tokenizer, prompt=prompt, max_tokens=20)

    assert answer == "The capital of France is Paris."


@pytest.mark.slow
def test_the_default_tokenizer_gives_back_every_text(smollm2_dir: Path) -> None:
    _, tokenizer, *_ = load(str(smollm2_dir))
    text = "In 1984 I'd  12 spaces\n\tcafé 漢字 🙂"

    tokens = tokenizer.encode(text)

    assert tokenizer.decode(tokens) == text
    assert tokenizer.encode("1984") == [tokenizer.encode(d)[0] for d in "1984"]
    assert len(tokenizer.encode("<|im_end|>")) == 1


def test_a_converted_model_loads_and_computes(tmp_path: Path) -> None:
    source = GGUFFile().write(tmp_path / "model.gguf")

    convert(source, tmp_path / "model", dtype="float32")

    model, tokenizer, *_ = load(str(tmp_path / "model"))
    logits = model(mx.array([tokenizer.encode("ab")]))
    assert logits.shape == (1, 1, 11)
    assert bool(mx.isfinite(logits).all())
    assert tokenizer.eos_token_ids == {0}


def test_it_puts_the_rows_of_queries_back_in_order(tmp_path: Path) -> None:
    """GGUF interleaves the two halves of each head; MLX wants them apart."""
    source = GGUFFile().write(tmp_path / "model.gguf")

    convert(source, tmp_path / "model", dtype="float32")

    made = load_file(tmp_path / "model" / "model.safetensors")
    written = llama_tensors()["blk.0.attn_q.weight"]
    order = [head * 4 + row for head in range(HEADS) for row in (0, 2, 1, 3)]
    found = made["model.layers.0.self_attn.q_proj.weight"]
    np.testing.assert_array_equal(found, written[order])
    value = made["model.layers.0.self_attn.v_proj.weight"]
    np.testing.assert_array_equal(value, llama_tensors()["blk.0.attn_v.weight"])


def test_it_ties_the_embedding_only_where_there_is_no_output(tmp_path: Path) -> None:
    file = GGUFFile()
    file.tensors["output.weight"] = file.tensors["token_embd.weight"]
    source = file.write(tmp_path / "model.gguf")

    convert(source, tmp_path / "model", dtype="float32")

    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    load(str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("general.architecture", "mamba", "architecture mamba is not imported; llama"),
        ("general.architecture", 7, "general.architecture is no text"),
        ("tokenizer.ggml.model", "rwkv", "tokenizer rwkv is not imported"),
        ("tokenizer.ggml.pre", "viking", "pre-tokenizer viking is not imported"),
        ("general.alignment", 0, "an alignment of 0 makes no sense"),
        ("general.alignment", "a", "an alignment of 'a' makes no sense"),
        ("llama.attention.head_count", 3, "8 values are no whole number of 3 heads"),
        ("tokenizer.chat_template", 3, "tokenizer.chat_template is no text"),
    ],
)
def test_it_refuses_by_name_what_it_cannot_import(
    tmp_path: Path, key: str, value: str | int, message: str
) -> None:
    file = GGUFFile()
    file.metadata[key] = value

    assert refusal_of(file, tmp_path).startswith(message)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(9, "Q8_1"), (26, "I32"), (28, "F64"), (40, "NVFP4"), (77, "type 77")],
)
def test_it_refuses_other_tensor_types_by_name(
    tmp_path: Path, kind: int, name: str
) -> None:
    message = refusal_of(GGUFFile(type_number=kind), tmp_path)

    assert message.startswith(f"tensor token_embd.weight is {name}; imported are F32")


def test_it_refuses_a_tensor_without_a_place(tmp_path: Path) -> None:
    file = GGUFFile()
    file.tensors["blk.0.surprise.weight"] = np.zeros((HIDDEN,), dtype=np.float32)

    assert refusal_of(file, tmp_path).startswith("tensor blk.0.surprise.weight has no")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (GGUFFile(magic=b"PK\3\4"), "not a GGUF file"),
        (GGUFFile(version=1), "GGUF version 1 is not one of"),
        (GGUFFile(entry_count=2**60), "the header announces"),
        (GGUFFile(entry_count=40), ""),
        (GGUFFile(missing_bytes=32), "tensor output_norm.weight reaches past"),
        (GGUFFile(missing_bytes=3000), ""),
    ],
)
def test_it_refuses_a_damaged_file(
    tmp_path: Path, file: GGUFFile, message: str
) -> None:
    assert refusal_of(file, tmp_path).startswith(message)


def test_it_survives_any_cut_of_the_header(tmp_path: Path) -> None:
    whole = GGUFFile().write(tmp_path / "whole.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in range(0, 1500, 7):
        cut.write_bytes(whole[:size])
        with pytest.raises(GGUFError):
            convert(cut, tmp_path / "model", dtype="float32")


def test_it_survives_any_damage_to_the_header(tmp_path: Path) -> None:
    """Whatever the bytes say, the file is refused in words or makes sense."""
    whole = GGUFFile().write(tmp_path / "whole.gguf").read_bytes()
    damaged = tmp_path / "damaged.gguf"
    choose = random.Random(11)
    refused = 0
    for _ in range(600):
        content = bytearray(whole)
        for _ in range(choose.choice([1, 1, 4])):
            content[choose.randrange(4, 2000)] = choose.choice([0, 1, 8, 9, 255])
        damaged.write_bytes(content)
        try:
            plan_of(damaged, dtype="quantized")
        except GGUFError:
            refused += 1
    assert 100 < refused < 600


def test_the_command_answers_a_refusal_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = GGUFFile(magic=b"????").write(tmp_path / "model.gguf")

    code = main([str(source), str(tmp_path / "model"), "--dtype", "quantized"])

    assert code == 2
    assert capsys.readouterr().err == "error: model.gguf: not a GGUF file\n"


def test_the_command_keeps_a_file_s_tricks_out_of_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = GGUFFile()
    file.tensors["two\nlines\x1b[2J" + "x" * 9000] = np.zeros(8, dtype=np.float32)
    source = file.write(tmp_path / "model.gguf")

    code = main([str(source), str(tmp_path / "model"), "--dtype", "quantized"])

    line = capsys.readouterr().err
    assert code == 2
    assert line.startswith("error: model.gguf: tensor two lines?[2Jxxx")
    assert line.count("\n") == 1
    assert len(line) < 600


def test_without_a_target_the_command_tells_what_it_would_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = GGUFFile().write(tmp_path / "model.gguf")

    code = main([str(source), "--dtype", "float32"])

    assert code == 0
    parameters = sum(array.size for array in llama_tensors().values())
    assert json.loads(capsys.readouterr().out) == {
        "name": "",
        "architecture": "llama",
        "parameters": parameters,
        "size_bytes": 4 * parameters,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.gguf"]


def test_the_command_tells_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = GGUFFile().write(tmp_path / "model.gguf")

    main([str(source), str(tmp_path / "model"), "--dtype", "float32"])

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["done_bytes"] == last["total_bytes"] > 0


def test_it_takes_no_text_of_gigabytes_from_a_header(tmp_path: Path) -> None:
    """A sparse file is as large as it says, and so could its texts be."""
    source = tmp_path / "model.gguf"
    with source.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**31))
        file.truncate(2**32)

    with pytest.raises(GGUFError, match="the header announces 2147483648 items; 16"):
        convert(source, tmp_path / "model", dtype="float32")
