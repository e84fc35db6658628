"""Claude Code itself: it calls its tool, reads what came back, and is asked again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.clients.conftest import ANSWER, NOTE
from tests.clients.environments import RUN_S, NodeEnvironment, bounded

if TYPE_CHECKING:
    from tests.clients.conftest import Agency

CLAUDE = NodeEnvironment("claude-code", ("@anthropic-ai/claude-code@2.1.332",))


def say(agency: Agency, *words: str) -> list[dict[str, Any]]:
    """Run it once, in the note's folder; return what it tells, line by line."""
    (program,) = CLAUDE.ready().glob("node_modules/@anthropic-ai/claude-code-*/claude")
    done = subprocess.run(
        [program, "--print", "--output-format", "stream-json", "--verbose", *words],
        cwd=agency.note.parent,
        env=bounded(
            HOME=str(agency.note.parent.parent),
            ANTHROPIC_BASE_URL=agency.server.base_url,
            ANTHROPIC_AUTH_TOKEN="none",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            CLAUDE_CODE_MAX_RETRIES="1",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def blocks(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks of all turns."""
    turns = [line["message"] for line in told if line["type"] in ("assistant", "user")]
    return [block for turn in turns for block in turn["content"]]


def test_it_calls_reads_the_result_answers_and_goes_on(reader: Agency) -> None:
    before = reader.server.count_rows()
    for words in (("Where is the key?",), ("--continue", "Where again?")):
        told = say(reader, *words)
        call, result, answer = blocks(told)
        assert (call["type"], call["name"]) == ("tool_use", "Read")
        assert call["input"] == {"file_path": str(reader.note)}
        assert result["tool_use_id"] == call["id"]
        assert NOTE.strip() in result["content"]
        assert (answer["type"], answer["text"]) == ("text", ANSWER)
        assert told[-1]["result"] == ANSWER
    rows = list(reader.server.wait_rows(before + 4).values())[before:]
    assert [row["outcome"] for row in rows] == ["finished"] * 4
    assert {row["endpoint"] for row in rows} == {"/v1/messages"}
    assert all(row["cached_tokens"] > 0.9 * row["prompt_tokens"] for row in rows[1:])
