"""The commands of the terminal against a real server with real models."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.servers import REPOSITORY, Server, wait_until
from tests.e2e.terminals import CTRL_C, CTRL_D, Terminal, on_terminal
from tests.pictures import ONE, encoded, pixels
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartServer

KEY = "s3cret"
TINY = "tiny-qwen2-vl"


@pytest.fixture(scope="module")
def server(
    tiny_model_dir: Path,
    rambler_dir: Path,
    thinker_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server that needs a key, and knows models that see, ramble and think."""
    shelf = tmp_path_factory.mktemp("shelf")
    for model in (rambler_dir, thinker_dir):
        shutil.copytree(model, shelf / model.name)
    server = Server(
        tmp_path_factory.mktemp("terminal") / "data",
        tiny_model_dir,
        MODEL_DIRS=str(shelf),
        MLX_API_KEY=KEY,
    )
    server.wait_ready()
    # Listed from the beginning, whichever test is the first to ask for them.
    client = server.client(api_key=KEY)
    for model in (rambler_dir, thinker_dir):
        client.post("/models/load", body={"model": model.name}, cast_to=object)
    yield server
    server.kill()


def at(server: Server, key: str = KEY) -> dict[str, str]:
    """Return the environment that leads to a server."""
    return {"OPENAI_BASE_URL": f"{server.base_url}/v1", "OPENAI_API_KEY": key}


def piped(
    *words: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlxsite", *words],
        cwd=REPOSITORY,
        env=os.environ | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


def newest_row(server: Server, count: int) -> dict[str, Any]:
    return list(server.wait_rows(count).values())[-1]


def test_it_answers_on_a_terminal_and_in_a_pipe(server: Server, tmp_path: Path) -> None:
    done = piped("chat", "Count to twenty.", **at(server))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 1
    with on_terminal(
        "chat", "Count to twenty.", data_dir=tmp_path, **at(server)
    ) as terminal:
        assert terminal.wait() == 0
        figures = rf"{TINY}, \d+ tokens?, [\d,.]+ tok/s, TTFT\s+\d"
        shown = terminal.wait_for(figures)
        assert " ".join(done.stdout.split()) in " ".join(shown.split())


def test_a_picture_is_seen(server: Server, tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        file = tmp_path / f"{colour}.png"
        file.write_bytes(encoded(pixels(colour, 5)))
        done = piped("chat", "--image", str(file), ONE, **at(server))
        assert done.stdout == f"{colour}\n"


def test_a_wrong_key_is_one_line_that_says_what_to_do(
    server: Server, tmp_path: Path
) -> None:
    for words in (("chat", "Hi"), ("list",), ("ps",)):
        done = piped(*words, **at(server, key="wrong"))
        assert done.returncode == 1
        assert done.stderr == (
            "error: Incorrect API key provided. "
            "Name its key with --api-key, OPENAI_API_KEY or MLX_API_KEY.\n"
        )
    with on_terminal("shell", data_dir=tmp_path, **at(server, key="x")) as terminal:
        assert terminal.wait() == 1
        assert terminal.text.startswith("error: Incorrect API key provided.")


def test_a_model_that_is_not_there_is_one_line_that_says_where_they_are(
    server: Server,
) -> None:
    done = piped("chat", "-m", "nobody", "Hi", **at(server))
    assert done.returncode == 1
    assert done.stderr.startswith("error: The model `nobody` is not served here.")
    assert done.stderr.endswith("`mlx-server list` shows them.\n")
    assert done.stderr.count("\n") == 1


def test_thinking_is_dimmed_and_apart(server: Server, tmp_path: Path) -> None:
    words = (
        "chat",
        "-m",
        "thinker",
        "-t",
        "0",
        "-n",
        "40",
        "--param",
        "thinking_token_budget=8",
    )
    with on_terminal(*words, "Hi", data_dir=tmp_path, **at(server)) as terminal:
        assert terminal.wait() == 0
        terminal.wait_for(r"│ \S[^\n]*\n\n(?s:.*)thinker, 40 tokens(?s:.*)cut off")
        assert "\x1b[2m│" in terminal.seen


def test_ctrl_c_in_an_answer_frees_its_seat_and_keeps_the_shell(
    server: Server, tmp_path: Path
) -> None:
    before = server.count_rows()
    options = ("--model", "rambler", "-t", "0", "-n", "100000")
    with on_terminal("shell", *options, data_dir=tmp_path, **at(server)) as terminal:
        terminal.wait_for(r"rambler at http://(?s:.*)>")
        start = terminal.mark()
        terminal.enter("Go on.")
        (running,) = wait_until(lambda: _generating(server), "a request that runs")
        assert (running["model"], running["key"]) == ("rambler", "api_key")
        table = piped("ps", **at(server)).stdout.splitlines()
        assert table[0].split()[:4] == ["ID", "MODEL", "PHASE", "AGE"]
        assert table[1].split()[1:3] == ["rambler", "decode"]
        terminal.resize(50, 20)
        terminal.type(CTRL_C)
        terminal.wait_for(r"stopped\n\s*>", after=start)
        row = newest_row(server, before + 1)
        assert (row["outcome"], row["reason"]) == ("cancelled", "client_disconnected")
        start = terminal.mark()
        terminal.enter("/models")
        seen = terminal.wait_for(r"thinker(?s:.*)\n\s*>", after=start)
        assert "ready" in seen
        terminal.type(CTRL_D)
        assert terminal.wait() == 0
    assert piped("ps", **at(server)).stdout == "Nothing runs.\n"


def _generating(server: Server) -> list[dict[str, Any]]:
    listed = piped("ps", "--json", **at(server))
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return [each for each in found if each["completion_tokens"]]


def test_the_shell_loads_uses_and_unloads_a_model(
    server: Server, tmp_path: Path
) -> None:
    with on_terminal("shell", data_dir=tmp_path, **at(server)) as terminal:
        terminal.wait_for(rf"{TINY} at http://(?s:.*)>")
        says(terminal, "/load thinker wise", "wise is ready: .*, context 8192")
        says(terminal, "/model wise", "Model: wise")
        says(terminal, "/params max_tokens=5", "max_tokens=5")
        says(terminal, "Hi", "wise, 5 tokens")
        says(terminal, "/unload wise", "wise is unloaded")
        says(terminal, "/load nobody", "error: The model `nobody` is not served")
        terminal.type(CTRL_D)
        assert terminal.wait() == 0


def says(terminal: Terminal, line: str, what: str) -> str:
    start = terminal.mark()
    terminal.enter(line)
    return terminal.wait_for(rf"{what}(?s:.*?)\n\s*>", after=start)


@pytest.mark.parametrize("columns", [100, 40])
def test_answers_are_compared_side_by_side_or_below_each_other(
    server: Server, tmp_path: Path, columns: int
) -> None:
    words = ("compare", f"{TINY},rambler", "-t", "0", "-n", "12", "Count to twenty.")
    with on_terminal(
        *words, data_dir=tmp_path, columns=columns, **at(server)
    ) as terminal:
        assert terminal.wait() == 0
        last = terminal.text[terminal.text.rindex(TINY) :]
    figures = r"\d+\s+tokens?, [\d,.]+\s+tok/s,\s+TTFT"
    if columns == 40:
        assert re.search(rf"(?s){figures}.*\n\nrambler\n.*12 tokens", last), last
        assert max(map(len, last.splitlines())) <= 40
    else:
        assert re.match(rf"{TINY} +│ rambler\n", last)
        assert re.search(rf"{figures}.*│ 12 tokens", last), last


def test_one_that_fails_leaves_the_others_and_the_exit_code(server: Server) -> None:
    done = piped("compare", f"{TINY},nobody", "Count to twenty.", **at(server))
    assert done.returncode == 1
    assert "== nobody ==\n(error: The model `nobody` is not served" in done.stdout
    other = rf"== {TINY} ==\n[^(]+\n\(\d+ tokens?, .* tok/s, TTFT .* s\)\n"
    assert re.search(other, done.stdout), done.stdout
    assert done.stderr.startswith("error: nobody: The model `nobody` is not served")
    assert done.stderr.count("\n") == 1


def test_tables_are_drawn_on_terminals_wide_and_narrow(
    server: Server, tmp_path: Path
) -> None:
    for columns in (100, 40):
        with on_terminal(
            "list", data_dir=tmp_path, columns=columns, **at(server)
        ) as terminal:
            assert terminal.wait() == 0
            assert max(map(len, terminal.text.splitlines())) <= columns
            for model in (TINY, "rambler", "thinker"):
                assert model in terminal.text
            assert ("───" in terminal.text) is (columns == 100)


def test_a_server_that_dies_in_the_middle_is_said_and_fails(
    start_server: StartServer, rambler_dir: Path, tmp_path: Path
) -> None:
    server = start_server(rambler_dir).wait_ready()
    with on_terminal(
        *("chat", "-t", "0", "-n", "100000", "Go on."),
        data_dir=tmp_path,
        OPENAI_BASE_URL=server.base_url,
    ) as terminal:
        terminal.wait_for(r"(\S+ ){9}")
        server.kill()
        assert terminal.wait() == 1
        closed = rf"the answer broke off: {server.base_url}/v1 closed the"
        terminal.wait_for(r"rambler, about \d+ tokens")
        assert re.search(closed, " ".join(terminal.text.split()))


@pytest.fixture
def port() -> Iterator[int]:
    """A port that no other program is given."""
    with kept_port() as kept:
        yield kept


@pytest.mark.slow
def test_it_speaks_to_mlx_lms_own_server(
    rambler_dir: Path, tmp_path: Path, port: int
) -> None:
    command = (sys.executable, "-m", "mlx_lm", "server")
    environment = {"OPENAI_BASE_URL": f"127.0.0.1:{port}"}
    cache = tmp_path / "hub"
    cache.mkdir()
    process = subprocess.Popen(
        [*command, "--model", str(rambler_dir), "--port", str(port)],
        env=os.environ | {"HF_HUB_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: piped("list", **environment).returncode == 0, "mlx_lm.server"
        )
        done = piped("chat", "-n", "8", "Hi", **environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        name = str(rambler_dir)
        done = piped("compare", f"{name},{name}", "-n", "5", "Hi", **environment)
        assert (done.returncode, done.stdout.count("(5 tokens, ")) == (0, 2)
        with on_terminal(
            *("shell", "-n", "6"), data_dir=tmp_path, **environment
        ) as terminal:
            terminal.wait_for(r"leaves\.\s+>")
            says(terminal, "Hi", "6 tokens")
            says(terminal, "/load x", "does not load models")
            terminal.type(CTRL_D)
            assert terminal.wait() == 0
    finally:
        process.kill()
        process.wait()
