"""`mlx-server connect`: tools' own files written, shown, given back, and tools started."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from inference.client.connect.profiles import UserFolders
from inference.client.connect.registry import PROFILES
from inference.client.connect.target import ConnectTarget
from tests.client.conftest import scripted
from tests.mlxsite.commands import mlx_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.client.scripted_server import ScriptedServer

__all__ = ["scripted"]

KEY = "s3cret-of-the-server"
BIG = {
    "id": "org/Qwen3-Coder",
    "state": "ready",
    "context_length": 131_072,
    "capabilities": ["text", "tools", "vision"],
    "aliases": ["coder"],
    "notes": [],
}
SMALL = {
    "id": "tiny",
    "state": "unloaded",
    "context_length": 2048,
    "capabilities": ["text"],
    "notes": ["calls are read by mlx-lm's parser, when they are whole"],
}
TOLD_NOTHING = {"id": "stranger"}
NOBODY = 65_534
# What a tool has that somebody has used for long; each with a comment where it may.
FILLED = {
    "claude-code": {
        ".claude/settings.json": '{"permissions": {"allow": ["Bash(ls)"]}, "env": {"A": "b"}}'
    },
    "codex": {
        ".codex/config.toml": '# mine\nmodel = "gpt"  # best\napproval_policy = "never"\n\n[mcp_servers.x]\ncommand = "y"\n'
    },
    "opencode": {
        ".config/opencode/opencode.jsonc": '{\n  // mine\n  "provider": {"theirs": {}},\n  "theme": "dark", // nice\n}\n'
    },
    "aider": {
        ".aider.conf.yml": "# model: gpt\ndark-mode: true # nice\n",
        ".aider.model.metadata.json": '{"openai/x": {"max_input_tokens": 1}}\n',
    },
    "cline": {
        ".cline/data/settings/providers.json": '{\n\t"version": 1,\n\t"providers": {\n\t\t"cline": {}\n\t}\n}'
    },
    "continue": {
        ".continue/config.yaml": "name: Mine\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: theirs # x\n    provider: ollama\n# end\n"
    },
    "zed": {
        ".config/zed/settings.json": '// Zed settings\n{\n  "agent": {\n    "dock": "left", // here\n  },\n}\n'
    },
    "goose": {
        ".config/goose/config.yaml": "GOOSE_PROVIDER: anthropic # mine\nextensions:\n  developer:\n    enabled: true\n    bundled: null\n"
    },
    "qwen-code": {
        ".qwen/settings.json": '{"modelProviders": {"openai": [{"id": "x", "envKey": "X"}]}, "$version": 4}'
    },
    "crush": {
        ".config/crush/crush.json": '{\r\n  "lsp": {\r\n    "go": {}\r\n  }\r\n}\r\n'
    },
}
WITH_FILES = sorted(FILLED)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and no variables that lead elsewhere."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.endswith(("_HOME", "_DIR", "_CONFIG")) or name.startswith("OPENAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def server(scripted: Callable[..., ScriptedServer]) -> ScriptedServer:
    """A server with a key, a model fit for agents, and two that are not."""
    return scripted(models=[SMALL, BIG, TOLD_NOTHING], api_key=KEY)


@pytest.fixture
def connect(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], home: Path
) -> Callable[..., tuple[str, str, int]]:
    """Run the command; return stdout, stderr and the exit code."""

    def run(*words: str) -> tuple[str, str, int]:
        code = 0
        try:
            call_command("connect", *words, "--url", server.base_url, "--api-key", KEY)
        except SystemExit as error:
            code = int(error.code or 0)
        return (*capsys.readouterr(), code)

    return run


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files below a folder, with their modes."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.stat().st_mode),
            b"" if path.is_dir() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
    }


def fill(home: Path, tool: str) -> None:
    for name, text in FILLED[tool].items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        path.chmod(0o640)


def config_files(home: Path, tool: str) -> list[Path]:
    target = ConnectTarget("http://x/v1", "x", context_tokens=1)
    files = PROFILES[tool].files(target, UserFolders(home, {}))
    return [file.path for file in files]


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


@pytest.mark.parametrize("tool", sorted(PROFILES))
def test_print_shows_it_without_the_key_and_writes_nothing(
    tool: str, home: Path, connect
) -> None:
    said, warned, code = connect(tool, "--print")
    assert (code, contents(home)) == (0, {})
    assert "org/Qwen3-Coder" in said
    assert KEY not in said + warned
    assert "********" in said
    assert KEY in connect(tool, "--print", "--show-key")[0]


def test_a_tool_of_variables_is_shown_them(home: Path, connect) -> None:
    said, _, code = connect("copilot")
    assert (code, contents(home)) == (0, {})
    assert "export COPILOT_MODEL=org/Qwen3-Coder\n" in said
    assert "export COPILOT_PROVIDER_API_KEY='********'\n" in said


def test_no_key_is_written_for_a_server_that_wants_none(
    home: Path,
    scripted: Callable[..., ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "meant-for-openai")
    open_server = scripted(models=[BIG])
    call_command("connect", "opencode", "--url", open_server.base_url)
    path = home / ".config/opencode/opencode.json"
    assert "meant-for-openai" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("codex",), ["Codex CLI calls {url}/responses, which is not there"]),
        (("aider",), []),
        (("opencode",), []),
        (
            ("opencode", "--model", "tiny"),
            [
                "tiny takes 2,048 tokens; opencode wants at least 64,000 "
                "(https://docs.ollama.com/integrations/opencode)",
                "nobody knows how tiny calls tools, and opencode lives by them: they "
                "are explained to it in words, and its calls are best effort",
                "tiny: calls are read by mlx-lm's parser, when they are whole",
            ],
        ),
        (
            ("aider", "--model", "stranger"),
            [
                "the server does not tell the context of stranger; Aider wants at "
                "least 8,192 (https://aider.chat/docs/llms/ollama.html)"
            ],
        ),
        (("aider", "--model", "stranger", "--context", "9000"), []),
    ],
)
def test_it_warns_of_what_may_go_wrong(
    words: tuple[str, ...], lines: list[str], server: ScriptedServer, connect
) -> None:
    _, warned, code = connect(*words, "--print")
    expected = [f"warning: {line.format(url=server.base_url)}" for line in lines]
    assert (warned.splitlines(), code) == (expected, 0)


def test_it_lists_the_tools(connect) -> None:
    said, _, code = connect()
    assert [line.split()[0] for line in said.splitlines()] == list(PROFILES)
    assert (code, len(PROFILES)) == (0, 12)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("codex", "--model", "none"), "the server has no model 'none': `mlx-server"),
        (
            ("zed", "--model", "stranger"),
            "Zed must know how many tokens stranger takes",
        ),
        (("aider", "--start"), "aider is not installed: pip install aider-chat"),
        (("aider", "more", "words"), "words for the tool itself need --start"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: tuple[str, ...],
    line: str,
    home: Path,
    connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(home))
    said, told, code = connect(*words)
    *_, last = told.splitlines()
    assert last.startswith(f"error: {line}")
    assert (said, code > 0, contents(home)) == ("", True, {})


def _broken(path: Path) -> None:
    path.write_text('{"env": ')


def _link(path: Path) -> None:
    path.with_name("real.json").write_text("{}")
    path.symlink_to("real.json")


def _folder(path: Path) -> None:
    path.mkdir()


def _binary(path: Path) -> None:
    path.write_bytes(b'{"a": "\xff\xfe"}')


def _huge(path: Path) -> None:
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))


def _other_kind(path: Path) -> None:
    path.write_text('{"env": ["a list"]}')


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_broken, "is left as it is: it is no JSON: a value is missing or broken"),
        (_link, "is a link to real.json: it is left alone"),
        (_folder, "is no file"),
        (_binary, "is no text in UTF-8"),
        (_huge, "is larger than 4,194,304 bytes"),
        (_other_kind, "is left as it is: what should hold"),
    ],
)
def test_a_file_that_it_cannot_change_is_one_line_and_what_to_put_there(
    make: Callable[[Path], None], why: str, home: Path, connect
) -> None:
    path = home / ".claude/settings.json"
    path.parent.mkdir()
    make(path)
    before = contents(home)

    said, told, code = connect("claude-code")
    (line,) = told.splitlines()[-1:]
    assert line.startswith(f"error: {path} {why}")
    assert code == 1
    assert contents(home) == before
    assert "ANTHROPIC_BASE_URL" in said
    assert KEY not in said + told


@contextmanager
def read_only_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Be somebody who may not write in their home folder, also where root runs tests."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        monkeypatch.setenv("HOME", name)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_read_only_folder_is_one_line(
    connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with read_only_home(monkeypatch) as folder:
        _, told, code = connect("codex")
        assert contents(folder) == {}
    path = folder / ".codex/config.toml"
    *_, last = told.splitlines()
    assert last == f"error: {path} cannot be written: Permission denied"
    assert code == 1


def test_of_two_files_none_is_changed_where_one_cannot_be(home: Path, connect) -> None:
    (home / ".aider.model.metadata.json").mkdir()
    before = contents(home)
    assert connect("aider")[2] == 1
    assert contents(home) == before


PROGRAM = """\
#!/bin/sh
echo "words: $*"
echo "model: $COPILOT_MODEL"
echo "key: $COPILOT_PROVIDER_API_KEY"
echo "mine: $MINE"
echo "password: $DATABASE_URL"
exit 7
"""


def test_start_runs_the_tool_with_its_variables_and_no_secrets_of_the_server(
    tmp_path: Path, server: ScriptedServer
) -> None:
    program = tmp_path / "copilot"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    env_file = tmp_path / "env"
    env_file.write_text("DATABASE_URL=postgres://user:password@localhost/x\n")

    result = mlx_server(
        *("connect", "copilot", "--start", "--url", server.base_url, "--api-key", KEY),
        *("--", "-p", "say hello"),
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        HOME=str(tmp_path),
        MLX_ENV_FILE=str(env_file),
        MLX_DATA_DIR=str(tmp_path / "data"),
        MINE="yes",
    )
    assert result.returncode == 7, result.stderr
    assert result.stdout.splitlines() == [
        "words: -p say hello",
        "model: org/Qwen3-Coder",
        f"key: {KEY}",
        "mine: yes",
        "password: ",
    ]
