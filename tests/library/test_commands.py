"""`mlx-server models` and `mlx-server rm`."""

from __future__ import annotations

import fcntl
import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from tests.library.cast import put_adapter, put_in_hub_cache, put_model
from tests.mlxsite.commands import mlx_server, only_line

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "f" * 40


def models(*words: str) -> str:
    """Return what `mlx-server models` prints."""
    out = io.StringIO()
    call_command("library", *words, stdout=out)
    return out.getvalue()


def remove(*words: str) -> tuple[str, str]:
    """Return what `mlx-server rm` prints, and its error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("remove_model", *words, stdout=out, stderr=err)
    except SystemExit as leaving:
        return out.getvalue(), f"{err.getvalue()}exit {leaving.code}"
    assert err.getvalue() == ""
    return out.getvalue(), ""


def refusal(*words: str) -> str:
    """Return the one line with which `mlx-server rm` refuses."""
    line, code = remove(*words)[1].splitlines()
    assert code == "exit 2"
    assert line.startswith("error: ")
    return line


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden things apart."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


@pytest.fixture(autouse=True)
def _own_places(hub_cache: Path, lm_studio: Path, data_dir: Path) -> None:
    """No command sees the user's models."""


class TestModels:
    """The table."""

    def test_it_says_where_it_looked_and_what_to_do(self, settings) -> None:
        settings.MLX_MODEL_DIRS = [settings.MLX_DATA_DIR / "shelf"]

        lines = models().splitlines()

        assert lines[0] == "No models found. Looked in:"
        assert [line.split("  ")[1] for line in lines[1:-1]] == [
            "hub cache",
            "LM Studio",
            "LM Studio",
            "data folder",
            "MODEL_DIRS",
        ]
        assert lines[-1].endswith("mlx-server pull")

    def test_it_aligns_what_each_model_is(
        self, tiny_model_dir: Path, hub_cache: Path, data_dir: Path
    ) -> None:
        put_in_hub_cache(tiny_model_dir, hub_cache, "a-long-owner/tiny")
        put_adapter(data_dir / "models" / "tuned")

        header, tiny, tuned, note, _, last = models().splitlines()

        assert header.split() == [
            *("NAME", "KIND", "SIZE", "MEMORY", "CONTEXT", "QUANTIZATION"),
            *("CAPABILITIES", "PLACE"),
        ]
        for name, value in (("CAPABILITIES", "text, vision"), ("PLACE", "hub cache")):
            assert tiny.index(value) == header.index(name)
        assert tiny.split()[1:7] == ["vlm", "2.23", "MB", "2.22", "MB", "2,048"]
        assert tuned.endswith("data folder")
        assert note == "  an adapter of org/base"
        assert last.startswith("2 models; ")

    def test_it_tells_problems_in_words(
        self, tiny_model_dir: Path, data_dir: Path, settings
    ) -> None:
        settings.MLX_MEMORY_BUDGET = 1_000_000
        broken = put_model(tiny_model_dir, data_dir / "models" / "a-broken")
        os.truncate(broken / "model.safetensors", 1_000_000)
        put_model(
            tiny_model_dir, data_dir / "models" / "b-mine", auto_map={"AutoModel": "x"}
        )

        notes = [line for line in models().splitlines() if line.startswith("  ")]

        assert notes == [
            "  cannot be served: model.safetensors is truncated: "
            "it has 1,000,000 of 2,227,115 bytes",
            "  its config.json names code of its own (auto_map): "
            "served only where it is trusted",
            "  too large for this machine: it needs 2.22 MB of memory, "
            "there are 1.00 MB",
        ]

    def test_names_do_not_command_the_terminal(
        self, tiny_model_dir: Path, data_dir: Path
    ) -> None:
        put_model(tiny_model_dir, data_dir / "models" / "evil\x1b[31m\nname")
        put_model(
            tiny_model_dir, data_dir / "models" / "what", model_type="\x1b[2Jevil"
        )

        assert "\x1b" not in models()
        assert "evil�[31m�name" in models()

    def test_it_prints_everything_as_json(
        self, tiny_model_dir: Path, hub_cache: Path
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")

        answer = json.loads(models("--json"))

        (model,) = answer["models"]
        assert model["name"] == "org/tiny"
        assert model["path"] == str(snapshot)
        assert model["capabilities"] == ["text", "vision"]
        assert model["fits"] is True
        assert answer["memory_bytes"] > 0
        assert answer["places"][0] == {"label": "hub cache", "path": str(hub_cache)}

    def test_it_runs_as_users_run_it(
        self, tiny_model_dir: Path, hub_cache: Path
    ) -> None:
        put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")

        result = mlx_server(
            "models", HF_HUB_CACHE=str(hub_cache), HOME=str(hub_cache.parent)
        )

        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        assert result.stdout.splitlines()[1].startswith("org/tiny  vlm ")


class TestRemove:
    """What is deleted, and what is not."""

    def test_it_deletes_a_model_of_the_data_folder(
        self, tiny_model_dir: Path, data_dir: Path
    ) -> None:
        put_model(tiny_model_dir, data_dir / "models" / "mine")
        put_model(tiny_model_dir, data_dir / "models" / "other")

        out, err = remove("mine", "--yes")

        assert err == ""
        assert out.startswith("Deleted mine: 2.25 MB freed.")
        assert names_in(data_dir / "models") == ["other"]

    def test_it_deletes_every_revision_of_a_hub_model_and_no_other_model(
        self, tiny_model_dir: Path, hub_cache: Path
    ) -> None:
        put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny", revision=OTHER)
        put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        # The same commit, copied to another name.
        kept = put_in_hub_cache(tiny_model_dir, hub_cache, "org/copy")

        out, err = remove("org/tiny", "--yes")

        assert err == ""
        assert "4.49 MB freed" in out
        assert names_in(hub_cache) == ["models--org--copy"]
        assert (kept / "model.safetensors").stat().st_size == 2_227_115

    def test_it_deletes_a_model_of_lm_studio(
        self, tiny_model_dir: Path, lm_studio: Path
    ) -> None:
        put_model(tiny_model_dir, lm_studio / "org" / "tiny")
        put_model(tiny_model_dir, lm_studio / "more" / "one")
        put_model(tiny_model_dir, lm_studio / "more" / "two")

        remove("tiny", "--yes")
        remove("more/two", "--yes")

        assert names_in(lm_studio) == ["more"]
        assert names_in(lm_studio / "more") == ["one"]

    def test_it_deletes_a_broken_model_too(
        self, tiny_model_dir: Path, data_dir: Path
    ) -> None:
        broken = put_model(tiny_model_dir, data_dir / "models" / "broken")
        (broken / "config.json").unlink()

        assert remove("broken", "--yes")[1] == ""
        assert not broken.exists()

    def test_it_does_not_delete_what_links_point_to(
        self, tiny_model_dir: Path, data_dir: Path, tmp_path: Path
    ) -> None:
        elsewhere = put_model(tiny_model_dir, tmp_path / "elsewhere")
        mine = put_model(tiny_model_dir, data_dir / "models" / "mine")
        (mine / "more").symlink_to(elsewhere)
        (data_dir / "models" / "linked").symlink_to(elsewhere)

        assert remove("mine", "--yes")[1] == ""
        assert "delete the link yourself" in refusal("linked", "--yes")

        assert names_in(elsewhere) == names_in(tiny_model_dir)

    def test_it_refuses_folders_of_the_users_own(
        self, tiny_model_dir: Path, tmp_path: Path, settings
    ) -> None:
        mine = put_model(tiny_model_dir, tmp_path / "shelf" / "mine")
        settings.MLX_MODEL_DIRS = [tmp_path / "shelf"]

        line = refusal("mine", "--yes")

        assert line.endswith("MODEL_DIRS: delete that folder yourself")
        assert mine.exists()

    def test_where_several_have_the_name_it_takes_the_folder(
        self, tiny_model_dir: Path, hub_cache: Path, lm_studio: Path
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        other = put_model(tiny_model_dir, lm_studio / "org" / "tiny")

        assert refusal("org/tiny", "--yes") == (
            "error: org/tiny is there 2 times: name one folder of "
            f"{snapshot} (hub cache), {other} (LM Studio)"
        )
        assert remove(str(other), "--yes")[1] == ""
        assert not other.exists()
        assert remove(str(snapshot), "--yes")[1] == ""
        assert not snapshot.exists()

    def test_it_deletes_no_folder_but_a_models(
        self, tiny_model_dir: Path, data_dir: Path
    ) -> None:
        put_model(tiny_model_dir, data_dir / "models" / "mine")

        for path in ("/", "~", str(data_dir), str(data_dir / "models"), "/etc"):
            assert "MODEL_DIRS" in (line := refusal(path, "--yes")) or (
                "is not a model" in line
            )
        assert (data_dir / "models" / "mine").is_dir()

    def test_without_a_terminal_it_deletes_only_when_told(
        self, tiny_model_dir: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = put_model(tiny_model_dir, data_dir / "models" / "mine")
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

        out, err = remove("mine")

        assert out == f"mine in the data folder: 2.25 MB in {mine}\n"
        assert "say --yes" in err
        assert mine.exists()

    @pytest.mark.parametrize(
        ("answer", "stays"),
        [("y\n", False), ("Yes\n", False), ("\n", True), ("no\n", True), ("", True)],
    )
    def test_on_a_terminal_it_asks(
        self,
        answer: str,
        stays: bool,
        tiny_model_dir: Path,
        data_dir: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        mine = put_model(tiny_model_dir, data_dir / "models" / "mine")
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", terminal)

        assert remove("mine")[1] == ""

        assert mine.exists() is stays

    def test_it_waits_for_no_download(
        self, tiny_model_dir: Path, hub_cache: Path, data_dir: Path
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        mine = put_model(tiny_model_dir, data_dir / "models" / "mine")
        locks = hub_cache / ".locks" / "models--org--tiny"
        locks.mkdir(parents=True)
        (locks / "other.lock").touch()

        for lock, name in (
            (locks / "etag.lock", "org/tiny"),
            (data_dir / "models" / ".lock", "mine"),
        ):
            with lock.open("w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                line = refusal(name, "--yes")
            assert line.startswith("error: another process is at work (")

        assert snapshot.exists()
        assert mine.exists()
        assert remove("org/tiny", "--yes")[1] == ""

    def test_it_says_when_the_cache_is_too_damaged(
        self, tiny_model_dir: Path, hub_cache: Path
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        (snapshot / "model.safetensors").resolve().unlink()

        line = refusal("org/tiny", "--yes")

        assert line.endswith(f"delete {hub_cache / 'models--org--tiny'} yourself")

    def test_a_wrong_name_is_one_line(self, hub_cache: Path) -> None:
        line = only_line(
            mlx_server(
                *("rm", "org/nothing", "--yes"),
                HF_HUB_CACHE=str(hub_cache),
                HOME=str(hub_cache.parent),
            )
        )

        assert line == "error: no model 'org/nothing' here: see mlx-server models"
