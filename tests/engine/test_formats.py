"""How a model marks thinking and calls, and what its entry may say instead."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from inference.core.frames import PreparePrompt, PrepareRefused, PromptPrepared
from inference.core.models import ModelOptions
from inference.core.requests import ChatMessage, ChatPrompt, TextPart
from inference.dialects.dialect import ThinkingTags
from inference.engine.text import overrides
from inference.engine.text.formats import ModelFormats, formats_of
from inference.engine.text.overrides import OverrideError, tokenizer_settings
from inference.engine.text.vocabulary import Vocabulary
from inference.engine.worker import prompts
from inference.engine.worker.prompts import PromptPreparer
from inference.prompting.rendering import text_of
from tests.models.make_thinker import write_tokenizer
from tests.templates.real import HERE

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARY = 4096


def like(name: str) -> str:
    return (HERE / "like" / f"{name}_like.jinja").read_text(encoding="utf-8")


def read(
    folder: Path, *, vocabulary: int = VOCABULARY, **said: str
) -> tuple[Any, ModelFormats]:
    """Load a tokenizer and its formats as a worker does."""
    options = ModelOptions(**said)
    tokenizer = load_tokenizer(folder, tokenizer_settings(options, folder))
    return tokenizer, formats_of(tokenizer, vocabulary=vocabulary, options=options)


@pytest.fixture(scope="module")
def thinker(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tokenizer of a model that thinks and calls."""
    folder = tmp_path_factory.mktemp("thinker")
    write_tokenizer(tiny_model_dir, folder)
    return folder


def test_it_reads_thinking_and_calls_off_the_models_files(thinker: Path) -> None:
    _, formats = read(thinker)
    assert formats.thinking is not None
    assert formats.thinking.tags == ThinkingTags("<think>", "</think>")
    assert formats.calls is not None
    assert formats.dialect is not None
    assert formats.dialect.name == "hermes"
    assert formats.traits.knows_tools
    _, formats = read(thinker, vocabulary=700)
    assert (formats.thinking, formats.calls) == (None, None)


def test_a_template_that_writes_thinking_makes_a_model_a_thinking_one(
    tiny_model_dir: Path,
) -> None:
    _, formats = read(tiny_model_dir)
    assert formats.thinking is None
    tokenizer, formats = read(tiny_model_dir, chat_template=like("deepseek_r1"))
    assert formats.thinking is not None
    assert formats.thinking.tags == ThinkingTags("<think>", "</think>")
    assert tokenizer.decode(formats.thinking.end.tokens) == "</think>"


def test_a_template_of_the_entry_replaces_the_models_own(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    for file in tiny_model_dir.glob("tokenizer*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    # Also where it has one in a file of its own, which goes before its config's.
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    tokenizer, formats = read(tmp_path, chat_template=like("mistral"))
    assert tokenizer.chat_template == like("mistral")
    assert formats.traits.alternates
    # How the model calls is read off the new template too.
    assert formats.dialect is not None
    assert formats.dialect.name == "mistral"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% if %}", r"TemplateSyntaxError, line 1: "),
        ("Hello", "it leaves the user's message out"),
        ("{{ messages.pop() }}", "SecurityError"),
        ("{{ cycler.__init__.__globals__.os.getcwd() }}", "SecurityError"),
        ("x" * (overrides.TEMPLATE_CHARS_MOST + 1), "at most 262,144 are taken"),
    ],
)
def test_a_template_that_cannot_be_used_refuses_the_load(
    tiny_model_dir: Path, template: str, reason: str
) -> None:
    with pytest.raises(OverrideError, match=reason) as refusal:
        read(tiny_model_dir, chat_template=template)
    assert str(refusal.value).startswith("chat_template ")
    assert "\n" not in str(refusal.value)


def test_a_broken_template_of_the_models_own_does_not_refuse_the_load(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    for file in tiny_model_dir.glob("tokenizer*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{% if %}")
    _, formats = read(tmp_path)
    assert "TemplateSyntaxError" in formats.traits.fault


def test_configured_tags_make_any_model_a_thinking_one(
    tiny_model_dir: Path, thinker: Path
) -> None:
    tags = {"think_start": "[REASON]", "think_end": "[/REASON]"}
    for folder in (tiny_model_dir, thinker):
        tokenizer, formats = read(folder, **tags)
        assert formats.thinking is not None
        assert formats.thinking.tags == ThinkingTags("[REASON]", "[/REASON]")
        assert len(formats.thinking.start.tokens) > 1
        assert tokenizer.decode(formats.thinking.end.tokens) == "[/REASON]"


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("<t>", "", "must be set together"),
        ("", "</t>", "must be set together"),
        ("<t>", "</t>\n", "think_end must not begin or end with blanks"),
        ("<" * 65, "</t>", "think_start is 65 characters long; at most 64"),
        ("<t>", "\u2591" * 20, r"think_end is \d+ tokens long; 1 to 16 are taken"),
    ],
)
def test_tags_that_cannot_be_used_refuse_the_load(
    tiny_model_dir: Path, start: str, end: str, reason: str
) -> None:
    with pytest.raises(OverrideError, match=reason):
        read(tiny_model_dir, think_start=start, think_end=end)


def test_tags_that_the_model_cannot_say_refuse_the_load(tiny_model_dir: Path) -> None:
    with pytest.raises(OverrideError, match="never says"):
        read(tiny_model_dir, vocabulary=10, think_start="<t>", think_end="</t>")


def test_a_system_prompt_that_is_too_long_refuses_the_load(
    tiny_model_dir: Path,
) -> None:
    with pytest.raises(OverrideError, match="system_prompt is 262,145 characters"):
        read(tiny_model_dir, system_prompt="x" * (overrides.PROMPT_CHARS_MOST + 1))


def prepared(folder: Path, text: str, **said: str) -> tuple[str, Any, Any]:
    """Prepare a prompt as a worker does; its text, the report, the prompt itself."""
    tokenizer, formats = read(folder, **said)
    reports: list[Any] = []
    words = Vocabulary(tokenizer._tokenizer, size=VOCABULARY, eos_ids=frozenset((699,)))
    model = SimpleNamespace(
        tokenizer=tokenizer,
        formats=formats,
        words=words,
        context_length=512,
        vision=None,
    )
    preparer = PromptPreparer(model, SimpleNamespace(send=reports.append))
    message = ChatMessage("user", (TextPart(text),))
    preparer.submit(PreparePrompt(1, ChatPrompt((message,))))
    preparer._pool.shutdown()
    prompt = preparer.take(1)
    return tokenizer.decode(prompt.tokens) if prompt else "", reports[0], prompt


def test_a_failure_without_words_has_some_for_the_client(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(prompts, "render", run_out)
    _, report, _ = prepared(tiny_model_dir, "Hello")
    assert report.code == "internal_error"
    assert report.message == "The prompt could not be prepared: MemoryError"


def test_a_prompt_is_prepared_the_way_the_entry_says(tiny_model_dir: Path) -> None:
    text, report, prompt = prepared(
        tiny_model_dir,
        "Hello",
        chat_template=f"{like('gemma')}[REASON]",
        system_prompt="You are a bird.",
        think_start="[REASON]",
        think_end="[/REASON]",
    )
    assert text == (
        "<start_of_turn>user\nYou are a bird.\n\nHello<end_of_turn>\n"
        "<start_of_turn>model\n[REASON]"
    )
    assert isinstance(report, PromptPrepared)
    assert report.warnings == (
        "the system message was folded into the first user message",
    )
    assert prompt.opens_thinking


def test_the_system_prompt_counts_in_the_context(tiny_model_dir: Path) -> None:
    _, report, _ = prepared(tiny_model_dir, "Hello", system_prompt="bird " * 600)
    assert isinstance(report, PrepareRefused)
    assert report.code == "context_length_exceeded"


TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
NAMED = [
    {"name": "default", "template": TURNS},
    {"name": "tool_use", "template": "{{ tools | tojson }}" + TURNS},
]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("chat_template.json", json.dumps({"chat_template": TURNS})),
        ("chat_template.json", json.dumps({"chat_template": NAMED})),
        ("chat_template.jinja", TURNS),
        ("additional_chat_templates/tool_use.jinja", TURNS),
    ],
    ids=["json", "several", "jinja", "additional"],
)
def test_a_template_is_found_wherever_a_model_keeps_it(
    thinker: Path, tmp_path: Path, name: str, kept: str
) -> None:
    folder = shutil.copytree(thinker, tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(kept)
    tokenizer, formats = read(folder)
    assert formats.traits.fault == ""
    assert text_of(tokenizer, [{"role": "user", "content": "a"}]) == "user: a"


def test_a_template_file_that_is_none_is_named(thinker: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(thinker, tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    (folder / "chat_template.json").write_text("[")
    with pytest.raises(OverrideError, match=r"chat_template\.json"):
        read(folder)
