"""`mlx-server chat` on a terminal and in a pipe, against servers of another kind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.client.scripted_server import CUT
from tests.e2e.servers import REPOSITORY
from tests.e2e.terminals import CTRL_C, on_terminal
from tests.ports import kept_port

if TYPE_CHECKING:
    from pathlib import Path


def piped(
    *words: str, base_url: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command whose ends are all pipes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    return subprocess.run(
        [sys.executable, "-m", "mlxsite", *words],
        cwd=REPOSITORY,
        env=kept | {"OPENAI_BASE_URL": base_url} | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_pipe_gets_the_answer_and_nothing_else(scripted) -> None:
    server = scripted("Hel", "lo **there**")
    done = piped("chat", "Say", "hello", base_url=server.base_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello **there**\n", "")
    (asked,) = server.asked
    assert asked["messages"] == [{"role": "user", "content": "Say hello"}]
    # The server chooses the model, where nobody names one.
    assert "model" not in asked


def test_what_comes_through_a_pipe_is_put_behind_the_question(scripted) -> None:
    server = scripted("ok")
    piped("chat", "Sum up:", base_url=server.base_url, stdin="a\nb\n")
    piped("chat", base_url=server.base_url, stdin="alone\n")
    said = [asked["messages"][-1]["content"] for asked in server.asked]
    assert said == ["Sum up:\n\na\nb", "alone"]


def test_a_pipe_of_anything_and_no_input_at_all_are_taken(scripted) -> None:
    server = scripted("ok")
    environment = os.environ | {"OPENAI_BASE_URL": server.base_url}
    for end in ("< <(printf 'a\\xffb')", "<&-"):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m mlxsite chat Hi {end}"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.stdout, done.stderr) == ("ok\n", "")
    said = [asked["messages"][-1]["content"] for asked in server.asked]
    assert said == ["Hi\n\na\N{REPLACEMENT CHARACTER}b", "Hi"]


def test_options_become_the_request(scripted) -> None:
    server = scripted("ok")
    words = ("--model", "m", "--system", "Be brief.", "--no-stream", "-t", "0.5")
    more = ("-n", "7", "--seed", "3", "--param", 'chat_template_kwargs={"a": false}')
    done = piped("chat", *words, *more, "Hi", base_url=server.base_url)
    assert done.stdout == "ok\n"
    (asked,) = server.asked
    assert asked.pop("messages") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert asked == {
        "model": "m",
        "temperature": 0.5,
        "max_tokens": 7,
        "seed": 3,
        "chat_template_kwargs": {"a": False},
    }


@pytest.mark.parametrize(
    ("environment", "options", "sent"),
    [
        ({}, (), "Bearer none"),
        ({"MLX_API_KEY": "own"}, (), "Bearer own"),
        ({"MLX_API_KEY": "own", "OPENAI_API_KEY": "general"}, (), "Bearer general"),
        ({"OPENAI_API_KEY": "general"}, ("--api-key", "given"), "Bearer given"),
    ],
)
def test_the_key_that_was_named_last_is_sent(
    scripted, environment: dict[str, str], options: tuple[str, ...], sent: str
) -> None:
    server = scripted("ok")
    done = piped("chat", "Hi", *options, base_url=server.base_url, **environment)
    assert done.returncode == 0, done.stderr
    assert server.keys == [sent]


HOSTILE = (
    "a\x1b]0;ow",
    "ned\x07b\x1b[",
    "2Jc\x9b31md\re\x08 [bold red]f[/] &#27;[2J `\x1b[31mg` <script>h</script>\n\n"
    "[text](http://x.y/\x1b[31m)\n\n```sh\necho \x1b[1mi\n```\n",
)
OWN_CODES = ("\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A")


@pytest.mark.parametrize("columns", [80, 30])
def test_an_answer_cannot_control_the_terminal(
    scripted, tmp_path: Path, columns: int
) -> None:
    server = scripted(*HOSTILE)
    with on_terminal(
        "chat",
        "Hi",
        data_dir=tmp_path,
        columns=columns,
        OPENAI_BASE_URL=server.base_url,
        NO_COLOR="1",
    ) as terminal:
        assert terminal.wait() == 0
        seen = terminal.seen
    for code in OWN_CODES:
        seen = seen.replace(code, "")
    # Bold, underlined and dim are the client's own; no colours, as was asked.
    seen = re.sub(r"\x1b\[[0-9;]*m", "", seen).replace("\r\n", "\n").replace("\r", "")
    assert all(char >= " " or char == "\n" for char in seen), seen
    assert "\x9b" not in seen
    assert "2Jc" not in seen
    assert "[bold red]f[/]" in " ".join(seen.split())
    assert "<script>h</script>" in " ".join(seen.split())
    assert "31m" not in terminal.seen.replace("&#27;[2J", "")


def test_an_answer_in_a_pipe_is_harmless_too(scripted) -> None:
    server = scripted(*HOSTILE)
    done = piped("chat", "Hi", base_url=server.base_url)
    assert done.stdout.startswith("abcde [bold red]f[/] &#27;[2J `g` <script>")
    assert "\x1b" not in done.stdout


def test_thinking_is_shown_apart_and_never_piped(scripted, tmp_path: Path) -> None:
    told = {"reasoning_content": "Let me think."}
    for steps in ((told, "Yes."), ("<thi", "nk>Let me think.</think>\n\nYes.")):
        server = scripted(*steps)
        done = piped("chat", "Well?", base_url=server.base_url)
        assert done.stdout == "Yes.\n"
        with on_terminal(
            "chat", "Well?", data_dir=tmp_path, OPENAI_BASE_URL=server.base_url
        ) as terminal:
            assert terminal.wait() == 0
            dimmed = r"\x1b\[2m│\x1b\[0m \x1b\[2mLet me think\.\x1b\[0m"
            assert re.search(dimmed, terminal.seen), terminal.seen
            terminal.wait_for(r"│ Let me think\.\n\nYes\.")


def test_figures_are_the_servers_or_said_to_be_a_guess(
    scripted, tmp_path: Path
) -> None:
    for usage, said in (
        ({"prompt_tokens": 3, "completion_tokens": 12}, "scripted, 12 tokens, "),
        (None, "scripted, about 2 tokens, "),
    ):
        server = scripted("One ", "two.")
        server.usage = usage
        with on_terminal(
            "chat", "Hi", data_dir=tmp_path, OPENAI_BASE_URL=server.base_url
        ) as terminal:
            assert terminal.wait() == 0
            terminal.wait_for(said)


def test_ctrl_c_shows_what_has_come_and_is_130(scripted, tmp_path: Path) -> None:
    server = scripted("So far ", threading.Event())
    with on_terminal(
        "chat", "Hi", data_dir=tmp_path, OPENAI_BASE_URL=server.base_url
    ) as terminal:
        terminal.wait_for("So far")
        terminal.type(CTRL_C)
        assert terminal.wait() == 130
        assert terminal.text.endswith("stopped\n"), terminal.text
        # The cursor is given back.
        assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
        server.steps[1].set()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("steps", "finish_reason", "said"),
    [
        (("Half ", CUT), "stop", "the answer broke off: "),
        (("Half ",), None, "the answer broke off: the server ended it without a"),
    ],
)
def test_an_answer_that_breaks_off_is_shown_and_fails(
    scripted, steps: tuple[object, ...], finish_reason: str | None, said: str
) -> None:
    server = scripted(*steps)
    server.finish_reason = finish_reason
    done = piped("chat", "Hi", base_url=server.base_url)
    assert (done.returncode, done.stdout) == (1, "Half \n")
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1


def test_an_answer_at_the_limit_says_so_beside_it(scripted) -> None:
    server = scripted("Half")
    server.finish_reason = "length"
    done = piped("chat", "Hi", base_url=server.base_url)
    assert (done.returncode, done.stdout) == (0, "Half\n")
    assert done.stderr == (
        "note: the answer ended early: cut off at the limit of tokens\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chat",), "there is no question"),
        (("chat", "--image", "/nowhere.png", "Hi"), "/nowhere.png: No such file"),
        (("chat", "--image", __file__, "Hi"), "it is no JPEG, PNG, WebP"),
        (("chat", "--param", "temperature", "Hi"), "is not NAME=VALUE"),
        (("chat", "--param", "messages=[]", "Hi"), "the conversation itself"),
        (("chat", "--base-url", "ftp://x", "Hi"), "is no address such as http"),
        (("shell",), "the shell needs a terminal"),
        (("compare", "one", "Hi"), "fewer than two models"),
        (("compare", "a,b"), "there is no question"),
    ],
)
def test_wrong_usage_is_2_and_asks_nobody(
    scripted, words: tuple[str, ...], said: str
) -> None:
    server = scripted("ok")
    done = piped(*words, base_url=server.base_url)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert server.asked == []


@pytest.mark.parametrize("word", ["list", "ps", "chat", "load", "unload", "compare"])
def test_a_server_that_is_not_there_is_one_line(word: str) -> None:
    words = {"list": (), "ps": (), "compare": ("a,b", "Hi")}.get(word, ("x",))
    with kept_port() as port:
        address = f"http://127.0.0.1:{port}/v1"
        done = piped(word, *words, base_url=address)
    assert done.returncode == 1
    assert f"no server answers at {address}: start one with `mlx-serve" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_another_server_cannot_do_is_said(scripted) -> None:
    server = scripted("ok", models=("one", "two"))
    listed = piped("list", base_url=server.base_url)
    assert listed.stdout.split() == ["MODEL", "one", "two"]
    assert json.loads(piped("list", "--json", base_url=server.base_url).stdout)
    for words, deed in (
        (("ps",), "tell what runs"),
        (("load", "x"), "load models"),
        (("unload", "x"), "unload models"),
    ):
        done = piped(*words, base_url=server.base_url)
        assert done.returncode == 1
        assert done.stderr == (
            f"error: the server at {server.base_url} does not {deed}: mlx-server does\n"
        )


def test_what_is_no_server_for_models_is_one_line(scripted) -> None:
    server = scripted("ok")
    done = piped("list", base_url=server.base_url.replace("/v1", "/v2"))
    assert done.returncode == 1
    assert done.stderr.endswith("/v2/models answered with status 404\n")


def test_who_reads_only_the_beginning_stops_the_answer(scripted) -> None:
    server = scripted("one\n", *["more\n"] * 20_000)
    command = f"{sys.executable} -m mlxsite chat Hi | head -1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=REPOSITORY,
        env=os.environ | {"OPENAI_BASE_URL": server.base_url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("one\n", "")
