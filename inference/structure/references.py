"""What a local reference in a schema points to."""

from __future__ import annotations

from typing import Any


def resolved(schema: Any, name: str) -> Any:
    """Return the part of a schema that `name`, as `#/$defs/city`, points to.

    What points nowhere admits anything.
    """
    node = schema
    for step in name[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return True
    return node
