"""The OpenAPI document as a page for people: what the template shows, put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.safestring import SafeString

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like in words; `link` names a schema of the page."""

    text: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A parameter, or a property of an object."""

    name: str
    shape: Shape
    text: SafeString
    is_required: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What may come back."""

    status: str
    text: SafeString
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class DocumentedOperation:
    """One method of one path."""

    method: str
    path: str
    summary: SafeString
    text: SafeString
    parameters: tuple[Line, ...]
    body: Shape | None
    replies: tuple[Reply, ...]

    @property
    def anchor(self) -> str:
        """Where on the page it stands."""
        words = self.path.replace("{", "").replace("}", "")
        return f"{self.method}{words.replace('/', '-')}"


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of one tag."""

    name: str
    text: str
    operations: tuple[DocumentedOperation, ...]


@dataclass(frozen=True, slots=True)
class Noun:
    """One schema."""

    name: str
    text: SafeString
    lines: tuple[Line, ...]
    shape: Shape


def marked(text: str) -> SafeString:
    """Return text as HTML, with what stands between backticks as code."""
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((_code(each) if at % 2 else each,) for at, each in pieces)
    )


def _code(text: str) -> SafeString:
    return format_html("<code>{}</code>", text)


def chapters(document: Schema) -> Iterator[Chapter]:
    """Yield the operations, tag by tag."""
    operations = [
        (operation["tags"][0], _operation(method, path, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in document["tags"]:
        of_tag = tuple(each for name, each in operations if name == tag["name"])
        yield Chapter(tag["name"], tag["description"], of_tag)


def nouns(document: Schema) -> Iterator[Noun]:
    """Yield the schemas, by name."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        whole = _merged(schema, document)
        text = marked(whole.get("description", ""))
        yield Noun(name, text, tuple(_lines(whole)), _shape(schema))


def _merged(schema: Schema, document: Schema) -> Schema:
    """Return a schema with those it consists of laid together."""
    merged: Schema = {"properties": {}, "required": []}
    for part in schema.get("allOf", [schema]):
        if "$ref" in part:
            part = document["components"]["schemas"][_name_of(part)]
        merged["properties"] |= part.get("properties", {})
        merged["required"] += part.get("required", [])
        merged.setdefault("description", part.get("description", ""))
    return merged


def _operation(method: str, path: str, operation: Schema) -> DocumentedOperation:
    body = operation.get("requestBody")
    return DocumentedOperation(
        method=method,
        path=path,
        summary=marked(operation["summary"]),
        text=marked(operation.get("description", "")),
        parameters=tuple(
            Line(
                each["name"],
                _shape(each["schema"]),
                marked(each["description"]),
                each.get("required", False),
            )
            for each in operation.get("parameters", ())
        ),
        body=_shape(body["content"]["application/json"]["schema"]) if body else None,
        replies=tuple(
            Reply(
                status,
                marked(reply["description"]),
                tuple(_shape(each["schema"]) for each in reply["content"].values()),
            )
            for status, reply in operation["responses"].items()
        ),
    )


def _lines(schema: Schema) -> Iterator[Line]:
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        text = marked(each.get("description", ""))
        yield Line(name, _shape(each), text, name in required)
        if each.get("type") == "array":
            each = each["items"]
            name = f"{name}[]"
        for line in _lines(each):
            yield Line(f"{name}.{line.name}", line.shape, line.text, line.is_required)


def _name_of(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _shape(schema: Schema) -> Shape:
    if "$ref" in schema:
        return Shape(_name_of(schema), _name_of(schema))
    if "anyOf" in schema:
        shapes = [_shape(each) for each in schema["anyOf"]]
        links = [shape.link for shape in shapes if shape.link]
        text = " or ".join(shape.text for shape in shapes)
        return Shape(text, links[0] if len(links) == 1 else "")
    if "allOf" in schema:
        return Shape(" and ".join(_shape(each).text for each in schema["allOf"]))
    if "const" in schema:
        return Shape(f'"{schema["const"]}"')
    if "enum" in schema:
        return Shape(", ".join(_word(each) for each in schema["enum"]) or "null")
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "array" in kinds and schema.get("items"):
        inner = _shape(schema["items"])
        return Shape(f"array of {inner.text}{_range(schema)}", inner.link)
    return Shape(" or ".join(kinds) + _range(schema))


def _word(value: Any) -> str:
    return "null" if value is None else f'"{value}"'


def _range(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("minLength", schema.get("minItems")))
    high = schema.get("maximum", schema.get("maxLength", schema.get("maxItems")))
    if "exclusiveMinimum" in schema:
        low = f"above {_figure(schema['exclusiveMinimum'])}"
    elif low is not None:
        low = _figure(low)
    if high is None:
        return f", {low} or more" if low is not None else ""
    most = _figure(high)
    return f", {low} to {most}" if low is not None else f", up to {most}"


def _figure(number: float) -> str:
    return f"{number:,}".removesuffix(".0")
