"""Settings in other programs' files: what they held stays, to the character."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from inference.client.connect.documents.merging import ConfigFormat, merged
from inference.client.connect.documents.settings import (
    ConfigSetting,
    ListElement,
    UnmergeableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MODEL = ConfigSetting(("model",), "Qwen3-4B")
NESTED = ConfigSetting(("env", "URL"), "http://x/v1")
PROVIDER = ConfigSetting(("providers", "ours"), {"url": "http://x/v1", "tokens": 8192})
LISTED = ConfigSetting(
    ("models", ListElement("name", "ours")), {"name": "ours", "roles": ["chat"]}
)
ALL = (MODEL, NESTED, PROVIDER, LISTED)
HELD: dict[str, Any] = {
    "model": "Qwen3-4B",
    "env": {"URL": "http://x/v1"},
    "providers": {"ours": {"url": "http://x/v1", "tokens": 8192}},
    "models": [{"name": "ours", "roles": ["chat"]}],
}

JSONS = {
    "empty": "",
    "an object that holds nothing": "{}",
    "comments only inside": "{\n  // nothing yet\n}\n",
    "on one line": '{"a": 1, "models": [{"name": "theirs"}]}',
    "a last comma": '{\n  "a": 1, // one\n}\n',
    "a comment beside the last": '{\n    "a": 1 /* one */ // uno\n}',
    "tabs": '{\n\t"env": {\n\t\t"A": "b"\n\t}\n}\n',
    "line ends of Windows": '{\r\n  "env": {\r\n    "A": "b"\r\n  }\r\n}\r\n',
    "a byte order mark": '\ufeff{"a": "ü // no comment"}',
    "nothing in places": '{"env": null, "models": null, "model": "old"}',
    "a name twice": '{"model": "first", "model": "second"}',
}
YAMLS = {
    "empty": "",
    "comments only": "# model: gpt\n# nothing else",
    "lists moved in": "---\na: 1 # one\nmodels:\n  - name: theirs # x\n    roles:\n      - edit\n# end\n",
    "lists at the margin": "models:\n- name: theirs\nb: ~\n",
    "nothing behind a name": "models: # later\nenv:\nb: 2\n",
    "nothing, in words": "models: null\nenv: ~ # none\n",
    "brackets": "models: [ {name: theirs} ]\nenv: {A: b}\nproviders: {}\n",
    "blocks of text": "a: |\n  one\n\n  two\nb: >\n  folded\n  text\n",
    "line ends of Windows": "a: null\r\nmodel: 'old' # mine\r\n# end\r\n",
    "anchors": "base: &base\n  x: 1\nother:\n  <<: *base\n",
}
TOMLS = {
    "empty": "",
    "comments": '# mine\nmodel = "old" # keep\n\n[env]\n# here\nA = "b"\n',
    "tables first": "[a]\nx = 1\n\n[providers.theirs]\ny = 2\n\n[z]\n",
    "in line": 'env = { A = "b" }\n',
    "dotted": 'env.A = "b"\n',
}


def assert_in_order(kept: Iterable[str], whole: Iterable[str]) -> None:
    """Fail unless everything of `kept` stands in the whole, in its order."""
    rest = iter(whole)
    assert all(each in rest for each in kept), "something is gone, or was moved"


@pytest.mark.parametrize("text", JSONS.values(), ids=JSONS)
def test_json_takes_settings_and_keeps_every_other_character(text: str) -> None:
    result = merged(text, ConfigFormat.JSON, ALL)
    again = merged(result, ConfigFormat.JSON, ALL)

    assert again == result
    if not any(word in text for word in ("null", "second")):  # what is replaced
        assert_in_order(text, result)


def test_json_is_laid_out_as_the_text_around_it() -> None:
    assert merged(JSONS["tabs"], ConfigFormat.JSON, (NESTED, MODEL)) == (
        '{\n\t"env": {\n\t\t"A": "b",\n\t\t"URL": "http://x/v1"\n\t},\n'
        '\t"model": "Qwen3-4B"\n}\n'
    )
    assert merged(JSONS["a last comma"], ConfigFormat.JSON, (MODEL,)) == (
        '{\n  "a": 1, // one\n  "model": "Qwen3-4B"\n}\n'
    )
    assert json.loads(merged("", ConfigFormat.JSON, ALL)) == HELD


@pytest.mark.parametrize("text", YAMLS.values(), ids=YAMLS)
def test_yaml_takes_settings_and_keeps_comments_and_layout(text: str) -> None:
    result = merged(text, ConfigFormat.YAML, ALL)

    assert merged(result, ConfigFormat.YAML, ALL) == result
    held = yaml.safe_load(result)
    assert {name: held[name] for name in ("model", "providers")} == {
        name: HELD[name] for name in ("model", "providers")
    }
    assert held["models"][-1] == HELD["models"][0]
    lines = [line for line in text.splitlines() if "[" not in line and "{" not in line]
    changed = ("model:", "models:", "env:")
    kept = [line for line in lines if not line.startswith(changed)]
    assert_in_order(kept, result.splitlines())


def test_yaml_values_are_texts_to_every_reader_of_yaml() -> None:
    keys = ("1e5", "0o17", "yes", "null", "12:30:45", "- a", "a: b", "#x", "")
    settings = [ConfigSetting((f"k{i}",), key) for i, key in enumerate(keys)]
    text = merged("", ConfigFormat.YAML, settings)
    assert tuple(yaml.safe_load(text).values()) == keys
    assert '"1e5"' in text
    assert '"0o17"' in text


@pytest.mark.parametrize("text", TOMLS.values(), ids=TOMLS)
def test_toml_takes_settings_and_keeps_comments_and_order(text: str) -> None:
    result = merged(text, ConfigFormat.TOML, (MODEL, NESTED, PROVIDER))

    assert merged(result, ConfigFormat.TOML, (MODEL, NESTED, PROVIDER)) == result
    held = tomllib.loads(result)
    assert held["model"] == "Qwen3-4B"
    assert held["env"]["URL"] == "http://x/v1"
    assert held["providers"]["ours"] == HELD["providers"]["ours"]
    kept = [line for line in text.splitlines() if "#" in line and "old" not in line]
    assert_in_order(kept, result.splitlines())


@pytest.mark.parametrize(
    ("language", "text", "why"),
    [
        ("json", '{\n  "a" 1}', "no JSON: a colon is missing in line 2"),
        ("json", "{", "no JSON: a value is missing or broken in line 1"),
        ("json", '{"a": 1 "b": 2}', "a comma is missing"),
        ("json", '{"a": NaN}', "broken"),
        ("json", "{} {}", "something follows its end"),
        ("json", "// only a comment", "a value is missing"),
        ("json", '{"a":' * 50_000, "nested too deeply"),
        ("json", "[]", "what should hold 'model' is no object"),
        ("json", '{"env": "a"}', "what should hold 'URL' is no object"),
        ("json", '{"models": {}}', "what should hold '[name=ours]' is no list"),
        ("json", '{"providers": {"ours": {/* why */}}}', "comments from line 1"),
        ("yaml", "a: [", "no YAML: line 1"),
        ("yaml", "- a\n", "what should hold 'model' is no object"),
        ("yaml", "a: 1\n---\nb: 2\n", "no YAML"),
        ("yaml", "models:\n- name: ours # why\n  x: 1\n", "comments from line 2"),
        ("yaml", "x: &x {A: b}\nenv: *x\n", "without losing something"),
        ("toml", "a = ", "no TOML"),
        ("toml", "env = 1", "what should hold 'URL' is no object"),
    ],
)
def test_what_cannot_be_changed_without_loss_is_refused(
    language: str, text: str, why: str
) -> None:
    settings = ALL if language != "toml" else (MODEL, NESTED, PROVIDER)
    with pytest.raises(UnmergeableError) as refused:
        merged(text, ConfigFormat(language), settings)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
