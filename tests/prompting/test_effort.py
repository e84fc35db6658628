"""However a client says how much to think, it is done, or said that it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.prompting.effort import LEVELS, EffortTraits, chosen
from inference.prompting.traits import traits_of
from tests.families.templates import NotFetchedError, template
from tests.prompting.conversations import CLEAN, prompt_of

if TYPE_CHECKING:
    from tests.prompting.conftest import Dress

TURNS = "{% for m in messages %}{{ m.content }}{% endfor %}"


def told(inner: Any, source: str) -> EffortTraits:
    inner.chat_template = source
    return traits_of(inner).effort


def real(name: str) -> str:
    try:
        return template(name)
    except NotFetchedError as error:
        pytest.skip(str(error))


def test_a_level_that_a_template_refuses_becomes_the_nearest_it_knows(
    inner: Any,
) -> None:
    known = "('low', 'medium', 'xhigh')"
    source = (
        TURNS + "{% set e = reasoning_effort | default('xhigh') %}"
        f"{{% if e not in {known} %}}{{{{ raise_exception('unknown ' ~ e) }}}}"
        "{% endif %}{{ e }}"
    )
    traits = told(inner, source)
    given = {level: chosen(level, traits, thinks=True) for level in LEVELS}
    passed = {level: it.options.get("reasoning_effort") for level, it in given.items()}
    assert passed == {
        "none": "low",
        "minimal": "low",
        "low": "low",
        "medium": "medium",
        "high": "xhigh",
        "xhigh": "xhigh",
        "max": "xhigh",
    }
    assert given["none"].budget == 0
    assert not any(it.is_ignored for it in given.values())


@pytest.mark.parametrize("name", ["thinking_effort", "reasoning_strength", "effort"])
def test_a_level_goes_by_the_templates_own_name(inner: Any, name: str) -> None:
    traits = told(inner, f"{TURNS}Effort: {{{{ {name} | default('high') }}}}")
    assert chosen("low", traits, thinks=False).options == {name: "low"}
    assert chosen("max", traits, thinks=False).options == {name: "high"}


def test_a_switch_turns_thinking_off_and_on(inner: Any) -> None:
    source = TURNS + "{% if not (thinking | default(false)) %}</think>{% endif %}"
    traits = told(inner, source)
    assert chosen("none", traits, thinks=True).options == {"thinking": False}
    low = chosen("low", traits, thinks=True)
    assert (low.options, low.budget) == ({"thinking": True}, 1024)
    assert chosen("max", traits, thinks=True).budget is None


def test_a_model_that_thinks_without_levels_gets_a_bound() -> None:
    budgets = [chosen(level, EffortTraits(), thinks=True).budget for level in LEVELS]
    assert budgets == [0, 512, 1024, 8192, 24576, None, None]


def test_an_effort_that_means_nothing_is_ignored_by_name(inner: Any) -> None:
    inner.chat_template = TURNS
    for level in LEVELS:
        _, prompt = prompt_of(inner, CLEAN, reasoning_effort=level)
        # It does not think: that is what was asked.
        assert prompt.ignored == (() if level == "none" else ("reasoning_effort",))


def test_a_switch_reaches_a_template_that_calls_it_otherwise(inner: Any) -> None:
    inner.chat_template = TURNS + "{{ 'quiet' if thinking_mode == 'disabled' else '' }}"
    for given in ({"enable_thinking": False}, {"thinking": False}):
        text, prompt = prompt_of(inner, CLEAN, template_kwargs=given)
        assert text.endswith("quiet")
        assert prompt.ignored == ()
    text, prompt = prompt_of(inner, CLEAN, template_kwargs={"plover": 1})
    assert prompt.ignored == ("chat_template_kwargs.plover",)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("trl/qwen3_8", {"low", "medium", "xhigh"}),
        ("Kimi-K3", {"low", "high", "max"}),
        ("openai-gpt-oss-120b", {"low", "medium", "high"}),
        ("tencent-Hy3", {"none", "low", "high"}),
        ("trl/nemotron_3_super", {"low", "high"}),
    ],
)
def test_it_finds_the_levels_of_real_templates(
    inner: Any, name: str, levels: set[str]
) -> None:
    traits = told(inner, real(name))
    assert set(traits.levels) == levels
    for level in LEVELS:
        text, _ = prompt_of(inner, CLEAN, reasoning_effort=level)
        assert "Bye" in text


def test_qwen_thinks_within_a_bound(dress: Dress) -> None:
    tokenizer = dress("qwen3_like", thinks=True)
    tags = {"think_start": tokenizer.think_start}
    _, prompt = prompt_of(tokenizer, CLEAN, reasoning_effort="low", **tags)
    assert (prompt.thinking_budget, prompt.ignored) == (1024, ())
