"""`mlx-server shell`, typed at a pseudo-terminal, against a server a test writes."""

from __future__ import annotations

import json
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.scripted_server import CUT, ScriptedServer
from tests.e2e.terminals import (
    ALT_ENTER,
    CTRL_C,
    CTRL_D,
    ENTER,
    TAB,
    Terminal,
    on_terminal,
)
from tests.pictures import encoded, pixels
from tests.ports import kept_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UP = "\x1b[A"


class Typist:
    """Types into one shell, and waits for what is to be seen after each line."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.terminal.wait_for("Ctrl-D leaves")
        self.terminal.wait_for(r"leaves\.\s+>")

    def says(self, line: str, what: str) -> str:
        """Type a line, and return what is seen once `what` and a new prompt are.

        Keys that come before the prompt may be lost: Ctrl-D is.
        """
        at = self.terminal.mark()
        self.terminal.enter(line)
        return self.terminal.wait_for(rf"{what}(?s:.*?)\n\s*>", after=at)

    def begins(self, line: str, what: str) -> int:
        """Type a line, and wait until `what` is seen of an answer that goes on."""
        at = self.terminal.mark()
        self.terminal.enter(line)
        self.terminal.wait_for(what, after=at)
        return self.terminal.mark()

    def leaves(self) -> None:
        self.terminal.type(CTRL_D)
        assert self.terminal.wait() == 0


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., Any]:
    """Open a shell on a server, for the length of a block."""

    @contextmanager
    def opened(
        server: ScriptedServer, *options: str, **environment: Any
    ) -> Iterator[Typist]:
        with on_terminal(
            "shell",
            *options,
            data_dir=tmp_path / "data",
            OPENAI_BASE_URL=server.base_url,
            **environment,
        ) as terminal:
            yield Typist(terminal)

    return opened


def texts(asked: dict[str, Any]) -> list[Any]:
    return [turn["content"] for turn in asked["messages"]]


def test_it_remembers_the_conversation_until_it_begins_anew(scripted, shell) -> None:
    server = scripted("An answer.")
    with shell(server, "--system", "Be brief.") as typist:
        typist.says("One", r"An answer\.\n\nscripted, about 1 token, .* s\n")
        typist.says("Two", r"TTFT")
        assert "> One\n" in typist.says("/history", r"> Two\nAn answer\.")
        typist.says("/clear", "A new conversation begins")
        typist.says("Three", "TTFT")
        typist.leaves()
    sent = [texts(asked) for asked in server.asked]
    assert sent == [
        ["Be brief.", "One"],
        ["Be brief.", "One", "An answer.", "Two"],
        ["Be brief.", "Three"],
    ]
    # The only model there is was taken.
    assert {asked["model"] for asked in server.asked} == {"scripted"}


def test_a_question_may_have_several_lines(scripted, shell) -> None:
    server = scripted("ok")
    with shell(server) as typist:
        typist.terminal.type(f"one{ALT_ENTER}two\\{ENTER}")
        typist.says("three", "TTFT")
        # Pasted lines are not sent one by one.
        typist.says("\x1b[200~/what\nis it\x1b[201~", "no command /what: /help")
        typist.says("\x1b[200~help me\nplease\x1b[201~", "TTFT")
        typist.leaves()
    assert [asked["messages"][-1]["content"] for asked in server.asked] == [
        "one\ntwo\nthree",
        "help me\nplease",
    ]


def test_ctrl_c_stops_the_answer_and_not_the_shell(scripted, shell) -> None:
    goes_on = threading.Event()
    server = scripted("So far", goes_on)
    with shell(server) as typist:
        at = typist.begins("One", "So far")
        # What is typed meanwhile waits for the prompt.
        typist.terminal.type("typed ahead")
        typist.terminal.type(CTRL_C)
        typist.terminal.wait_for(r"stopped\n\s*>", after=at)
        goes_on.set()
        server.steps = ("Whole.",)
        typist.says("typed after", "Whole")
        # At the prompt it drops the line.
        at = typist.terminal.mark()
        typist.terminal.type(f"dropped{CTRL_C}")
        typist.terminal.wait_for(r"dropped *\n>", after=at)
        typist.leaves()
    assert texts(server.asked[1]) == ["One", "So far", "typed after"]


def test_a_failed_answer_leaves_the_shell_and_is_not_kept(scripted, shell) -> None:
    server = scripted("Half", CUT)
    with shell(server) as typist:
        typist.says("One", "error: the answer broke off")
        server.close()
        typist.says("Two", "error: no server answers at")
        typist.leaves()


def test_commands_change_how_it_asks(scripted, shell) -> None:
    server = scripted("ok", models=("one", "two"))
    with shell(server) as typist:
        typist.says("/model", "The server chooses")
        typist.says("/model two", "Model: two")
        typist.says("/model else", "else is not in /models; it is used anyway")
        typist.says("/model one", "Model: one")
        typist.says("/stream off", "Streaming is off")
        typist.says("/stream perhaps", "error: say /stream on or /stream off")
        typist.says("/system Be kind.", "System prompt: Be kind")
        typist.says('/params temperature=0.5 x={"a": 1} stop=END', "temperature=0.5")
        typist.says("/params seed", "error: 'seed' is not NAME=VALUE")
        typist.says("/params stop=", r"temperature=0.5, x=\{'a': 1\}")
        typist.says("One", "ok\n\nscripted")
        typist.says("/system clear", "No system prompt")
        typist.says("/params clear", "No parameters")
        typist.says("/stream on", "Streaming is on")
        typist.says("Two", "ok\n\nscripted")
        typist.leaves()
    first, second = server.asked
    assert first == {
        "model": "one",
        "temperature": 0.5,
        "x": {"a": 1},
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "One"},
        ],
    }
    assert second["stream"] is True
    assert texts(second) == ["One", "ok", "Two"]


def test_a_picture_goes_with_the_next_question(scripted, shell, tmp_path: Path) -> None:
    file = tmp_path / "a red one.png"
    file.write_bytes(encoded(pixels("red", 1)))
    server = scripted("ok")
    with shell(server) as typist:
        typist.says("/image /nowhere.png", "error: /nowhere.png: No such file")
        typist.says(f"/image '{file}'", "1 picture with the next question")
        typist.says("/image clear", "No picture")
        typist.says(f"/image {str(file).replace(' ', chr(92) + ' ')}", "1 picture with")
        typist.says("What is it?", "TTFT")
        typist.says("And now?", "TTFT")
        assert "(1 picture)" in typist.says("/history", "> And now")
        typist.leaves()
    picture, words = server.asked[0]["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert words == {"type": "text", "text": "What is it?"}
    assert server.asked[1]["messages"][-1]["content"] == "And now?"


def test_it_saves_to_send_and_to_read_and_overwrites_nothing(
    scripted, shell, tmp_path: Path
) -> None:
    server = scripted("An answer.")
    with shell(server, "--system", "Be brief.") as typist:
        typist.says("One", "TTFT")
        typist.says(f"/save {tmp_path}/talk.json", "Written to")
        typist.says(f"/save {tmp_path}/talk.md", "Written to")
        typist.says(f"/save {tmp_path}/talk.md", r"there\s+already:\s+choose")
        typist.says(f"/save {tmp_path}/no/talk.md", r"No\s+such\s+file")
        typist.says("/save", "error: say where")
        typist.leaves()
    saved = json.loads((tmp_path / "talk.json").read_text())
    assert saved["model"] == "scripted"
    assert texts(saved) == ["Be brief.", "One", "An answer."]
    read = (tmp_path / "talk.md").read_text()
    assert read.startswith("## system\n\nBe brief.\n\n## user\n\nOne\n")


def test_tab_completes_commands_and_models_and_no_questions(scripted, shell) -> None:
    server = scripted("ok", models=("quick-one", "quick-two", "other"))
    with shell(server) as typist:
        terminal = typist.terminal
        at = terminal.mark()
        terminal.type("/mode")
        terminal.wait_for("ask another model from now on", after=at)
        terminal.type(f"{TAB}{TAB}")
        at = terminal.mark()
        terminal.type("qui")
        terminal.wait_for("quick-two", after=at)
        terminal.type(f"{TAB}{TAB}{ENTER}")
        typist.says("", "Model: quick-two")
        at = terminal.mark()
        terminal.type("/stream o")
        terminal.wait_for("off", after=at)
        at = terminal.mark()
        terminal.type(CTRL_C)
        terminal.wait_for(r"/stream o *\n>", after=at)
        # A question is left alone: Tab offers nothing in it.
        typist.says(f"qui{TAB}ck", "TTFT")
        typist.leaves()
    assert texts(server.asked[0])[-1].replace(" ", "").replace("\t", "") == "quick"


def test_history_is_kept_for_the_user_alone(scripted, shell, tmp_path: Path) -> None:
    server = scripted("ok")
    with shell(server) as typist:
        typist.says("A question to keep", "TTFT")
        typist.leaves()
    file = tmp_path / "data" / "shell_history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with shell(server) as typist:
        typist.says(UP, "TTFT")
        typist.terminal.type(f"\x12keep{ENTER}")
        typist.says("", "TTFT")
        typist.leaves()
    assert [texts(asked)[-1] for asked in server.asked] == ["A question to keep"] * 3


def test_what_is_no_command_is_said_and_may_be_sent(scripted, shell) -> None:
    server = scripted("ok")
    with shell(server) as typist:
        typist.says("/etc/passwd?", "error: there is no command /etc/passwd")
        typist.says(" /etc/passwd?", "TTFT")
        typist.says("/load x", "error: the server at .* does not load models")
        typist.says("/unload x", "error: the server at .* does not unload models")
        typist.says("/compare x", "error: 'x' names fewer than two models")
        assert "/compare A,B" in typist.says("/help", "/quit ")
        typist.terminal.enter("/quit")
        assert typist.terminal.wait() == 0
    assert texts(server.asked[0]) == ["/etc/passwd?"]


def test_it_compares_the_last_question_apart_from_the_conversation(
    scripted, shell
) -> None:
    server = scripted("An answer.", models=("a", "b"))
    with shell(server) as typist:
        typist.says("/compare a,b", "error: there is no question yet")
        typist.says("One", "TTFT")
        typist.says("/compare a,b", r"a +│ b\nAn answer\. +│ An answer\.\n")
        typist.says("/compare a,b Two", r"TTFT[^│]*│[^│]*TTFT")
        typist.says("Three", "TTFT")
        typist.leaves()
    compared = [asked for asked in server.asked if asked.get("model")]
    assert sorted(asked["model"] for asked in compared) == ["a", "a", "b", "b"]
    assert [texts(asked) for asked in compared] == [["One"]] * 2 + [["Two"]] * 2
    assert texts(server.asked[-1]) == ["One", "An answer.", "Three"]


def test_a_terminal_may_change_its_size_at_any_time(scripted, shell) -> None:
    goes_on = threading.Event()
    words = " ".join(f"word{number}" for number in range(40))
    server = scripted("Begins. ", goes_on, words)
    with shell(server) as typist:
        typist.begins("One", "Begins")
        typist.terminal.resize(30, 12)
        at = typist.terminal.mark()
        goes_on.set()
        seen = typist.terminal.wait_for(r"TTFT(?s:.*?)\n\s*>", after=at)
        assert "word39" in seen
        lines = seen.partition("TTFT")[0].splitlines()
        assert max(map(len, lines)) <= 30
        typist.terminal.resize(100, 40)
        typist.says("Two", "TTFT")
        typist.leaves()


def test_it_does_not_begin_where_nobody_answers(tmp_path: Path) -> None:
    with kept_port() as port:
        address = f"http://127.0.0.1:{port}/v1"
        with on_terminal("shell", "--base-url", address, data_dir=tmp_path) as terminal:
            assert terminal.wait() == 1
            terminal.wait_for(f"error: no server answers at {address}")


def test_it_begins_where_the_models_are_not_told(scripted, shell) -> None:
    server = scripted("ok", models=None)
    with shell(server) as typist:
        assert "Its models are not known: " in typist.terminal.text
        typist.says("/models", "answered with status 404")
        typist.says("One", "TTFT")
        typist.leaves()
