"""Which model types the installed mlx-lm has code for, without importing it."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# A config's word becomes a file name here, as it becomes a module's name there.
_MODEL_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_RENAMINGS = "MODEL_REMAPPING"


def is_supported(model_type: str) -> bool:
    """Whether mlx-lm can build this model type; true where mlx-lm is not found."""
    folder = _folder()
    if folder is None:
        return True
    if not _MODEL_TYPE.fullmatch(model_type):
        return False
    name = renamings().get(model_type, model_type)
    return (folder / "models" / f"{name}.py").is_file()


@cache
def renamings() -> dict[str, str]:
    """Return the model types that another type's code serves, by mlx-lm's own table."""
    folder = _folder()
    if folder is None:
        return {}
    try:
        module = ast.parse((folder / "utils.py").read_text(encoding="utf-8"))
        table = next(filter(None, map(_table_of, module.body)), {})
    except (OSError, ValueError, SyntaxError):
        return {}
    return {str(key): str(value) for key, value in table.items()}


def _table_of(statement: ast.stmt) -> dict[object, object]:
    if not isinstance(statement, ast.Assign) or not isinstance(
        statement.value, ast.Dict
    ):
        return {}
    names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    if _RENAMINGS not in names:
        return {}
    table: dict[object, object] = ast.literal_eval(statement.value)
    return table


@cache
def _folder() -> Path | None:
    """Return where mlx-lm is installed; finding a package does not import it."""
    spec = find_spec("mlx_lm")
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places))) if places else None
