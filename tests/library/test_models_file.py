"""The file of models, written by hand: what it may say, and how it says no."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING

import pytest

from inference.library import models_file
from inference.library.models_file import (
    FILE_BYTES,
    FileEntry,
    FileSampling,
    ModelsFile,
    ModelsFileError,
    read_models_file,
)

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, text: str | bytes) -> dict[str, FileEntry]:
    path = tmp_path / "models.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_models_file(path)


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert read_models_file(tmp_path / "models.toml") == {}


def test_the_example_in_its_documentation_can_be_read(tmp_path: Path) -> None:
    lines = (models_file.__doc__ or "").splitlines()
    example = "\n".join(line[4:] for line in lines if line.startswith("    "))
    entries = read(tmp_path, example)
    assert set(entries) == {"qwen", "qwen-poet", "thinker"}
    assert entries["qwen"].sampling == FileSampling(temperature=0.6, top_p=0.95)
    assert entries["qwen"].pin is True
    assert entries["qwen-poet"].source == entries["qwen"].source
    assert entries["thinker"].chat_template.startswith("{% for")


def test_it_keeps_what_is_not_said_apart_from_what_is_zero(tmp_path: Path) -> None:
    entries = read(tmp_path, "[models.a]\n[models.b]\nttl_s = 0\npin = false\n")
    assert (entries["a"].ttl_s, entries["a"].pin) == (None, None)
    assert (entries["b"].ttl_s, entries["b"].pin) == (0, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "unknown name 'x'"),
        ("models = 3", "'models' holds tables"),
        ("[models]\na = 1", '[models."a"]: expected `object`, got `int`'),
        ("[models.a]\nfoo = 1", '[models."a"]: unknown name `foo`'),
        ("[models.a.sampling]\ntemp = 1", "unknown name `temp` in sampling"),
        (
            '[models.a]\ncontext_limit = "x"',
            '[models."a"]: context_limit: expected `int`, got `str`',
        ),
        ("[models.a]\npin = 1", "pin: expected `bool`, got `int`"),
        ("[models.a]\nkv_bits = true", "kv_bits: expected `int`, got `bool`"),
        ('[models.a]\nttl_s = "5"', "ttl_s: expected `float`, got `str`"),
        ("[models.a]\nttl_s = inf", "ttl_s: expected a number, got inf"),
        (
            "[models.a.sampling]\ntemperature = nan",
            "sampling.temperature: expected a number, got nan",
        ),
        ("[models.a]\nsource = 1979-05-27", "source: expected `str`, got `date`"),
        ('[models."a\\nb"]\nfoo = 1', '[models."a\\nb"]: unknown name'),
        ("[models.a]\n[models.a]", "no TOML: Cannot declare"),
        (
            '[models.a]\naliases = ["x"]\n[models.b]\naliases = ["y", "x"]',
            '[models."b"]: aliases: "x" is an alias of [models."a"] already',
        ),
        (
            '[models.a]\naliases = ["b"]\n[models.b]',
            '[models."a"]: aliases: "b" is the key of [models."b"] already',
        ),
        ('[models.a]\naliases = "x"', "aliases: expected `array`, got `str`"),
        ("[models.a", "no TOML"),
        ("[models.a]\nkv_bits = 1" + "0" * 5000, "no TOML"),
        (b"\xff\xfe", "no TOML"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("# " + "x" * FILE_BYTES, "longer than"),
        ("\n".join(f"[models.m{n}]" for n in range(1001)), "more than 1000 models"),
    ],
)
def test_one_line_names_file_key_and_field(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(ModelsFileError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert re.match(re.escape(f"{tmp_path / 'models.toml'}: "), message)
    assert words.lower() in message.lower()
    assert "\n" not in message


def test_a_folder_in_its_place_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ModelsFileError, match="Is a directory"):
        read_models_file(tmp_path)


def test_it_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    asked: list[str] = []

    def check(key: str, entry: FileEntry) -> str:
        asked.append(key)
        return ""

    file = ModelsFile(path, check=check)
    assert file.entries() == {}
    path.write_text("[models.a]\n")
    assert set(file.entries()) == {"a"}
    assert set(file.entries()) == {"a"}
    assert asked == ["a"]
    # An editor that writes a file of the same length in the same moment.
    stamp = path.stat().st_mtime_ns
    replacement = tmp_path / "new"
    replacement.write_text("[models.b]\n")
    os.utime(replacement, ns=(stamp, stamp))
    replacement.rename(path)
    assert set(file.entries()) == {"b"}


def test_a_broken_file_leaves_in_force_what_it_said_before(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[models.a]\n")
    file = ModelsFile(path)
    assert (set(file.entries()), file.problem) == ({"a"}, "")
    path.write_text("[models.a]\nfoo = 1\n")
    assert set(file.entries()) == {"a"}
    assert "unknown name `foo`" in file.problem
    path.write_text("[models.b]\n")
    assert (set(file.entries()), file.problem) == ({"b"}, "")


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[models.a]\n")
    seen: list[set[str]] = []
    reads: list[str] = []

    def check(key: str, entry: FileEntry) -> str:
        reads.append(key)
        return ""

    file = ModelsFile(path, check=check)
    threads = [
        threading.Thread(target=lambda: seen.append(set(file.entries())))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [{"a"}] * 16
    assert reads == ["a"]
