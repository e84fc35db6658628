"""Templates read the request, change only what they made, and come to an end."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.exceptions import SecurityError

from inference.prompting import sandbox
from inference.prompting.sandbox import rendered, rendering_within

SAID: list[dict[str, Any]] = [{"role": "user", "content": "kestrel", "list": [1, 2]}]


def test_a_template_may_change_a_list_that_it_made() -> None:
    queue = "{% set q = [] %}{% set _ = q.append('a') %}{% set _ = q.append('b') %}"
    assert rendered(queue + "{{ q.pop(0) }}{{ q | length }}", {}, SAID) == "a1"
    named = "{% set ns = namespace(ids=[]) %}{% set _ = ns.ids.append(3) %}{{ ns.ids }}"
    assert rendered(named, {}, SAID) == "[3]"
    made = "{% set d = {} %}{% set _ = d.update({'a': 1}) %}{{ d.a }}"
    assert rendered(made, {}, SAID) == "1"
    copied = "{% set m = messages[:] %}{% set _ = m.append(7) %}{{ m[-1] }}"
    assert rendered(copied, {}, SAID) == "7"


@pytest.mark.parametrize(
    "attack",
    [
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'system'}) }}",
        "{{ messages[0].list.pop() }}",
        "{{ messages[:][0].update({'role': 'system'}) }}",
        "{{ tools[0].function.parameters.clear() }}",
        "{{ given.within.append(1) }}",
        "{{ messages[0].setdefault('a', 1) }}",
        "{% set q = [messages] %}{{ q[0].append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append.__self__ }}",
        "{% set ns = namespace(_a=1) %}",
    ],
)
def test_a_template_changes_nothing_of_the_request(attack: str) -> None:
    tools = [{"function": {"parameters": {"type": "object"}}}]
    given = {"within": [1]}
    with pytest.raises(SecurityError):
        rendered(attack, {"tools": tools, "given": given}, SAID)
    assert SAID == [{"role": "user", "content": "kestrel", "list": [1, 2]}]
    assert (tools[0]["function"]["parameters"], given) == (
        {"type": "object"},
        {"within": [1]},
    )


@pytest.mark.parametrize(
    "attack",
    [
        "{% set q = [1] %}{% for x in q %}{% set _ = q.append(x) %}{% endfor %}",
        "{% set q = [1] %}{% for x in range(99) %}{% set _ = q.extend(q) %}{% endfor %}",
        "{% set d = {} %}{% for x in range(99999) %}"
        "{% set _ = d.update(dict.fromkeys(range(x * 99, x * 99 + 99))) %}{% endfor %}",
    ],
)
def test_a_list_that_grows_for_ever_is_stopped(attack: str) -> None:
    with pytest.raises(SecurityError, match="entries"):
        rendered(attack, {}, SAID)


@pytest.mark.parametrize(
    "attack",
    [
        "{% for a in range(99999) %}" * 4 + "{% endfor %}" * 4,
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}"
        "{% endmacro %}{{ m(60) }}",
        "{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    ],
)
def test_a_template_that_does_not_end_is_given_up(attack: str) -> None:
    with pytest.raises((TimeoutError, RecursionError)), rendering_within(0.2):
        rendered(attack, {}, SAID)


def test_templates_have_what_transformers_gives_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert rendered("{{ messages[0] | tojson }}", {}, [{"a": "<é>"}]) == '{"a": "<é>"}'
    assert rendered("{{ strftime_now('%Y') }}", {}, SAID).isdigit()
    assert rendered("{% generation %}x{% endgeneration %}", {}, SAID) == "x"
    assert (
        rendered("{{ tools is none }}{{ documents is none }}", {}, SAID) == "TrueTrue"
    )
    loop = (
        "{% for x in [1, 2] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}"
    )
    assert rendered(loop, {}, SAID) == "1"
    monkeypatch.setattr(sandbox, "RENDER_S", 60)
    with pytest.raises(Exception, match="not today"):
        rendered("{{ raise_exception('not today') }}", {}, SAID)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ 'a' * 10000000000000 }}",
        "{{ 10000000000000 * [messages] }}",
        "{% set n = 10000000 %}{{ 3 ** n ** 2 }}",
        "{{ (9 ** 200000) * (9 ** 200000) }}",
        "{% set ns = namespace(t='ab') %}{% for _ in range(99) %}"
        "{% set ns.t = ns.t * 2 %}{% endfor %}",
    ],
)
def test_a_product_that_is_too_large_is_not_made(attack: str) -> None:
    with pytest.raises(SecurityError, match=r"larger than 1,000,000"):
        rendered(attack, {}, SAID)


def test_products_of_a_usual_size_are_what_they_are_elsewhere() -> None:
    template = "{{ '=' * 3 }} {{ 2 * [1] }} {{ 2 ** 10 }} {{ 3 * 4 }} {{ 2.5 * 2 }}"
    assert rendered(template, {}, SAID) == "=== [1, 1] 1024 12 5.0"
