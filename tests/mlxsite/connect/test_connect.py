"""`mlx-server connect`: tools' own files are written, and given back to the byte."""

from __future__ import annotations

import json
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.mlxsite.connect.cast import (
    FILLED,
    KEY,
    WITH_FILES,
    config_files,
    contents,
    fill,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.scripted_server import ScriptedServer


@pytest.mark.parametrize("tool", WITH_FILES)
def test_a_tool_without_configuration_gets_one_and_loses_it_again(
    tool: str, home: Path, server: ScriptedServer, connect
) -> None:
    said, warned, code = connect(tool)

    assert (code, KEY in said + warned) == (0, False)
    written = "".join(path.read_text() for path in config_files(home, tool))
    assert "org/Qwen3-Coder" in written
    assert server.base_url.removesuffix("/v1") in written
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in config_files(home, tool)
        if KEY in path.read_text()
    }
    assert modes == (set() if tool == "zed" else {0o600})
    assert "131072" in written

    assert connect(tool, "--undo")[2] == 0
    assert contents(home) == {}


@pytest.mark.parametrize("tool", WITH_FILES)
def test_a_tool_with_configuration_gets_it_back_to_the_byte(
    tool: str, home: Path, connect
) -> None:
    fill(home, tool)
    before = contents(home)

    assert connect(tool, "--model", "tiny")[2] == 0
    assert connect(tool, "--model", "coder")[2] == 0
    for name, text in FILLED[tool].items():
        now = (home / name).read_text()
        comments = [line for line in text.splitlines() if "#" in line or "//" in line]
        for comment in comments:
            mark = "#" if "#" in comment else "//"
            assert comment[comment.index(mark) :] in now
        assert (home / f"{name}.before-mlx-server").read_bytes() == text.encode()
    assert contents(home) != before

    assert connect(tool, "--undo")[2] == 0
    assert contents(home) == before


def test_claude_code_is_told_its_server_for_every_model_it_may_ask_for(
    home: Path, server: ScriptedServer, connect
) -> None:
    fill(home, "claude-code")
    connect("claude-code")

    settings = json.loads((home / ".claude/settings.json").read_text())
    assert settings["permissions"] == {"allow": ["Bash(ls)"]}
    variables = settings["env"]
    assert variables["A"] == "b"
    assert variables["ANTHROPIC_BASE_URL"] == server.base_url.removesuffix("/v1")
    assert variables["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert variables["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "org/Qwen3-Coder"
    assert variables["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"


def test_codex_is_told_a_provider_and_keeps_its_others(home: Path, connect) -> None:
    fill(home, "codex")
    connect("codex")

    held = tomllib.loads((home / ".codex/config.toml").read_text())
    assert (held["model"], held["model_provider"]) == ("org/Qwen3-Coder", "mlx-server")
    assert held["model_context_window"] == 131_072
    assert held["mcp_servers"] == {"x": {"command": "y"}}
    provider = held["model_providers"]["mlx-server"]
    assert provider["wire_api"] == "responses"
    assert provider["experimental_bearer_token"] == KEY


def test_a_tool_is_found_where_its_variables_say(
    home: Path, connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "elsewhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    connect("codex")
    connect("opencode")
    assert (home / "elsewhere/config.toml").exists()
    assert (home / "xdg/opencode/opencode.json").exists()
    assert not (home / ".codex").exists()


def test_continues_older_file_stays_in_use(home: Path, connect) -> None:
    older = home / ".continue/config.json"
    older.parent.mkdir()
    older.write_text('{"models": [{"title": "theirs"}]}')
    connect("continue")
    titles = [model["title"] for model in json.loads(older.read_text())["models"]]
    assert titles == ["theirs", "mlx-server"]
    assert not older.with_name("config.yaml").exists()

    older.with_name("config.yaml").write_text("name: later\n")
    connect("continue", "--undo")
    assert older.read_text() == '{"models": [{"title": "theirs"}]}'


def test_what_was_changed_since_is_kept_when_it_is_undone(home: Path, connect) -> None:
    fill(home, "codex")
    connect("codex")
    path = home / ".codex/config.toml"
    path.write_text(path.read_text() + "later = true\n")

    _, warned, code = connect("codex", "--undo")
    assert code == 0
    assert "config.toml.after-mlx-server" in warned
    assert path.read_text() == FILLED["codex"][".codex/config.toml"]
    kept = path.with_name("config.toml.after-mlx-server")
    assert kept.read_text().endswith("later = true\n")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_undoing_where_nothing_was_done_changes_nothing(home: Path, connect) -> None:
    fill(home, "codex")
    before = contents(home)
    assert connect("codex", "--undo")[0] == "Nothing of Codex CLI was changed.\n"
    assert connect("copilot", "--undo")[2] == 0
    assert contents(home) == before


def test_a_second_time_that_fails_midway_leaves_the_first_as_it_was(
    home: Path, connect
) -> None:
    assert connect("aider")[2] == 0
    before = contents(home)
    # The note of the second file cannot be replaced: a folder stands in its place.
    note = home / ".aider.model.metadata.json.mlx-server-note"
    kept = note.read_bytes()
    note.unlink()
    note.mkdir()

    assert connect("aider", "--model", "tiny")[2] == 1
    note.rmdir()
    note.write_bytes(kept)
    note.chmod(0o600)
    after = contents(home)
    assert {name: data for name, (_, data) in after.items()} == {
        name: data for name, (_, data) in before.items()
    }
