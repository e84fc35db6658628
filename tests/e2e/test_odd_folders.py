"""Model folders that others left a little odd, and that load all the same."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.servers import Server
from tests.library.cast import put_model
from tests.pictures import ONE, data_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES_OF_ENDS = ("eos_token_id", "eos_token")
JSON_FILES = ("config.json", "generation_config.json", "tokenizer_config.json")


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The tiny model, with all that is odd at once; as text, too."""
    folder = put_model(tiny_model_dir, tmp_path_factory.mktemp("odd") / "odd")
    for name in JSON_FILES:
        words = json.loads((folder / name).read_text())
        kept = {key: words[key] for key in words if key not in NAMES_OF_ENDS}
        text = json.dumps(kept).encode()
        (folder / name).write_bytes(codecs.BOM_UTF8 + text)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    data_dir = tmp_path_factory.mktemp("odd-data")
    (data_dir / "models.toml").write_text(
        f'[models."text"]\nsource = "{folder}"\nkind = "lm"\n'
    )
    server = Server(data_dir, folder, "--model-path", f"text={folder}")
    yield server.wait_ready()
    server.kill()


def test_an_answer_ends_where_the_template_ends_turns(server: Server) -> None:
    """Not at the bound on tokens, and without the mark in its text."""
    content: Any = [
        {"type": "image_url", "image_url": {"url": data_url("red", 1)}},
        {"type": "text", "text": ONE},
    ]
    asked: tuple[tuple[str, Any], ...] = (("odd", content), ("text", "Count to five."))
    for model, said in asked:
        made = server.client().chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": said}],
            temperature=0,
            max_tokens=200,
        )
        assert made.choices[0].finish_reason == "stop"
        assert "<|" not in (made.choices[0].message.content or "")
    cards = {card["id"]: card for card in server.get("/v1/models")["data"]}
    for model in ("odd", "text"):
        (note,) = cards[model]["notes"]
        assert "answers end with '<|im_end|>'" in note
