"""Where chat templates run: they read the request and change nothing of it.

Templates come with models and are code of strangers. They are compiled as
transformers compiles them, with two differences. A list or dict that a template
made itself, in this rendering, it may change: Kimi K2's cannot do without, and
nobody else sees it. And every rendering ends: loops look at the clock, what
lists and dicts grow to is counted, and products are judged before they are made.
"""

from __future__ import annotations

import functools
import json
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.sandbox import (
    ImmutableSandboxedEnvironment,
    SandboxedEnvironment,
    modifies_known_mutable,
)
from jinja2.utils import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Template
    from jinja2.parser import Parser
    from jinja2.runtime import Context

RENDER_S = 20.0
# What one rendering may add to lists and dicts of its own, all together.
GROWTH_MOST = 100_000
# What one product may make: characters or entries, or the bits of a number.
PRODUCT_MOST = 1_000_000
# Only these, and not what is derived from them, are made by templates.
_OWN = (list, dict, set)
_TEMPLATES_KEPT = 16


class GivenList(list[Any]):
    """A list of the request's: no template may change it."""


class GivenDict(dict[str, Any]):
    """A dict of the request's: no template may change it."""


@dataclass(slots=True)
class _Bounds:
    """What is left to renderings: time to all of them, growth to each."""

    seconds: float
    ends_at: float
    grown: int = 0


_bounds: ContextVar[_Bounds | None] = ContextVar("bounds of a rendering", default=None)


@contextmanager
def rendering_within(seconds: float) -> Iterator[None]:
    """Bound the time of all renderings inside, together.

    What takes longer ends with a `TimeoutError`.
    """
    token = _bounds.set(_Bounds(seconds, time.monotonic() + seconds))
    try:
        yield
    finally:
        _bounds.reset(token)


def rendered(
    source: str, variables: dict[str, Any], messages: list[dict[str, Any]]
) -> str:
    """Return what a template makes of messages.

    Raises:
        TimeoutError: it takes longer than `rendering_within`, or `RENDER_S`, allows.
        Exception: whatever the template raises, or what it does.
    """
    bounds = _bounds.get()
    if bounds is None:
        with rendering_within(RENDER_S):
            return rendered(source, variables, messages)
    bounds.grown = 0
    given = {"tools": None, "documents": None, **variables, "messages": messages}
    text = _compiled(source).render({name: _given(it) for name, it in given.items()})
    # A template without loops of its own gets no more time than others.
    _environment.look_at_clock()
    return text


def parsed(source: str) -> nodes.Template:
    """Return a template's syntax tree.

    Raises:
        TemplateError: it has none.
    """
    return _environment.parse(source)


def _given(value: Any) -> Any:
    if isinstance(value, dict):
        return GivenDict((str(key), _given(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return GivenList(map(_given, value))
    return value


@functools.lru_cache(_TEMPLATES_KEPT)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)


class _Environment(ImmutableSandboxedEnvironment):
    """Lets a template change what it made, and no rendering go on for ever."""

    # One of these can take hours, and nothing else of the process runs meanwhile.
    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if _size_of(operator, left, right) > PRODUCT_MOST:
            raise SecurityError(f"a product of it is larger than {PRODUCT_MOST:,}")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not SandboxedEnvironment.is_safe_attribute(self, obj, attr, value):
            return False
        return type(obj) in _OWN or not modifies_known_mutable(obj, attr)

    def call(__self, __context: Context, __obj: Any, *args: Any, **more: Any) -> Any:  # noqa: N805 -- as Jinja's, since a template names its arguments
        __self.look_at_clock()
        changed: Any = getattr(__obj, "__self__", None)
        if type(changed) not in _OWN:
            return super().call(__context, __obj, *args, **more)
        before = len(changed)
        made = super().call(__context, __obj, *args, **more)
        _count_growth(len(changed) - before)
        return made

    def look_at_clock(self) -> None:
        """Raise `TimeoutError` where a rendering takes too long."""
        bounds = _bounds.get()
        if bounds is not None and time.monotonic() > bounds.ends_at:
            raise TimeoutError(f"not rendered within {bounds.seconds:g} s")

    def _generate(self, source: nodes.Template, *args: Any, **more: Any) -> str:
        # Jinja bounds a template's reach, not its loops.
        for loop in source.find_all(nodes.For):
            line = loop.lineno
            clock = nodes.EnvironmentAttribute("look_at_clock", lineno=line)
            call = nodes.Call(clock, [], [], None, None, lineno=line)
            loop.body.insert(0, nodes.ExprStmt(call, lineno=line))
        return super()._generate(source, *args, **more)


def _count_growth(added: int) -> None:
    bounds = _bounds.get()
    if bounds is None or added <= 0:
        return
    bounds.grown += added
    if bounds.grown > GROWTH_MOST:
        raise SecurityError(f"it makes lists of over {GROWTH_MOST:,} entries")


def _size_of(operator: str, left: Any, right: Any) -> int:
    """Return about how large `left * right`, or `left ** right`, would be."""
    if isinstance(left, int) and isinstance(right, int):
        bits, more = left.bit_length(), right.bit_length()
        return bits * abs(right) if operator == "**" else bits + more
    text, times = (right, left) if isinstance(left, int) else (left, right)
    if isinstance(times, int) and hasattr(text, "__len__"):
        return len(text) * times
    return 0


class _Generation(Extension):
    """The tag `generation`, with which templates mark answers to train on."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Dict:
    """`dict` in templates: makes one, and has nothing else of Python's."""

    def __call__(self, *args: Any, **more: Any) -> dict[Any, Any]:
        return dict(*args, **more)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(Namespace):
    """`namespace` in templates, without names that begin with an underscore."""

    def __init__(*args: Any, **more: Any) -> None:
        self, *rest = args
        names = dict(*rest, **more)
        for name in names:
            _refuse_private(name)
        Namespace.__init__(self, names)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_private(name)
        super().__setitem__(name, value)


def _refuse_private(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace takes no name such as {name!r}")


def _raise_exception(message: Any) -> NoReturn:
    raise TemplateError(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005 -- the day it is here


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own escapes for HTML.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


_environment = _Environment(
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=[_Generation, "jinja2.ext.loopcontrols"],
)
_environment.filters["tojson"] = _tojson
_environment.globals |= {
    "raise_exception": _raise_exception,
    "strftime_now": _strftime_now,
    "dict": _Dict(),
    "namespace": _Namespace,
}
