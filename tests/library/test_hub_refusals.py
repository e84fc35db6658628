"""What cannot be downloaded is said in one line, and costs nothing before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.library.fake_hub import FakeHub
from tests.library.hub_process import REPO, content, fetch
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def model(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A model's folder that a test may add to."""
    return shutil.copytree(tiny_model_dir, tmp_path / "model")


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    """A hub that has it."""
    with FakeHub({REPO: model}) as hub:
        yield hub


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.gated.add(REPO)
    last = fetch(hub, tmp_path, HF_TOKEN="hf_secret")[-1]

    assert "path" in last
    tokens = {(r.host, r.authorization) for r in hub.requests}
    assert ("127.0.0.1", "Bearer hf_secret") in tokens
    assert {token for host, token in tokens if host == "localhost"} == {""}


def test_a_gated_model_says_what_to_do(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults.gated.add(REPO)

    assert fetch(hub, tmp_path)[-1] == {
        "error": "org/tiny is gated: its owner gives access on request; ask on its "
        "page, then set HF_TOKEN or log in with `hf auth login`"
    }


def test_a_name_that_the_hub_does_not_know_is_said(
    hub: FakeHub, tmp_path: Path
) -> None:
    assert fetch(hub, tmp_path, "org/other") == [
        {
            "error": "no model org/other: the hub does not know it, or it is private "
            "(then set HF_TOKEN)"
        }
    ]


def test_an_unknown_revision_is_said(hub: FakeHub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path, REPO, "--revision", "v9") == [
        {"error": "org/tiny has no such revision"}
    ]


def test_a_commit_can_be_asked_for(hub: FakeHub, model: Path, tmp_path: Path) -> None:
    commit = hub.commit_of(REPO)
    last = fetch(hub, tmp_path, REPO, "--revision", commit)[-1]

    assert Path(last["path"]).name == commit
    assert content(Path(last["path"])) == content(model)


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a/../b", ""])
def test_a_revision_is_no_way_out_of_the_cache(
    hub: FakeHub, tmp_path: Path, revision: str
) -> None:
    (last,) = fetch(hub, tmp_path, REPO, "--revision", revision)

    assert last["error"].endswith("is not the name of a revision")
    assert hub.requests == []


def test_no_hub_in_reach_is_said_with_its_address(hub: FakeHub, tmp_path: Path) -> None:
    with kept_port() as port:
        url = f"http://127.0.0.1:{port}"
        said = fetch(hub, tmp_path, REPO, HF_ENDPOINT=url)

    assert said == [{"error": f"org/tiny cannot be fetched: no hub in reach at {url}"}]


def test_a_hub_that_is_not_well_is_said_with_its_answer(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.faults.status = 503

    assert fetch(hub, tmp_path) == [
        {
            "error": f"org/tiny cannot be fetched: the hub at {hub.url} answered 503 "
            "(the hub is not well)"
        }
    ]


def test_an_address_that_is_no_hub_is_said(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults.status = 200

    assert fetch(hub, tmp_path) == [
        {"error": f"org/tiny cannot be fetched: {hub.url} is no hub"}
    ]


def test_offline_is_offline(hub: FakeHub, tmp_path: Path) -> None:
    (last,) = fetch(hub, tmp_path, REPO, HF_HUB_OFFLINE="1")

    assert last["error"] == (
        "org/tiny is not on this machine, and HF_HUB_OFFLINE forbids downloads"
    )
    assert hub.requests == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["config.json", "pytorch_model.bin"],
            "only safetensors are loaded, and it has pytorch_model.bin",
        ),
        (
            ["config.json", "a.Q4.gguf", "b.Q8.gguf"],
            "only safetensors are loaded, and it has a.Q4.gguf and 1 more: "
            "`mlx-server import` makes a model of a GGUF file",
        ),
        (["README.md"], "config.json is missing"),
        (["config.json", "tokenizer.json"], "model*.safetensors is missing"),
        (["adapter_config.json", "adapter_model.bin"], "config.json is missing"),
    ],
)
def test_what_is_no_mlx_model_is_refused_before_the_download(
    tmp_path: Path, names: list[str], words: str
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")
    with FakeHub({REPO: folder}) as hub:
        (last,) = fetch(hub, tmp_path)

    assert last == {"error": f"org/tiny is not an MLX model: {words}"}
    assert hub.bytes_sent == 0


def test_a_model_with_a_shard_missing_is_refused_by_its_name(
    hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with FakeHub({REPO: model}) as hub:
        last = fetch(hub, tmp_path)[-1]

    assert last == {
        "error": "org/tiny is not an MLX model: model-2.safetensors is missing"
    }
    assert not list((tmp_path / "home").rglob("main"))


def test_an_adapter_comes_like_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    for name in ("adapter_config.json", "adapters.safetensors"):
        (folder / name).write_text("{}")
    with FakeHub({REPO: folder}) as hub:
        last = fetch(hub, tmp_path)[-1]

    assert content(Path(last["path"])) == content(folder)
