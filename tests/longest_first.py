"""The modules that take longest begin first, so that no core idles at the end.

Loaded by `tests/conftest.py`; the Makefile has pytest-xdist keep this order, and leave
these modules out of `make quick`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.families.cases import Case

TESTS = Path(__file__).parent
# In this order. Outside of e2e, what takes over five seconds of a quiet core.
LONGEST = (
    "e2e/test_families",
    "e2e/test_several_models",
    "e2e/test_doors",
    "e2e/test_ends",
    "e2e/test_one_database",
    "e2e/test_stored_responses",
    "e2e/test_storm",
    "e2e/test_vision",
    "e2e/test_terminal",
    "e2e/test_embeddings",
    "e2e/test_bench",
    "e2e/test_forced_in_families",
    "e2e/test_long_texts",
    "e2e/test_responses",
    "e2e/test_chat_page",
    "e2e/test_chat_doors",
    "e2e/test_live_page",
    "e2e/test_first_page",
    "client/test_chat",
    "metrics/test_history",
    "mlxsite/test_completion",
    "e2e/test_structured",
    "e2e/test_poisons",
    "e2e/test_openblas",
    "e2e/test_model_settings",
    "e2e/test_made_up_requests",
    "e2e/test_monitoring",
    "e2e/test_heavy_pictures",
    "e2e/test_large_bodies",
    "client/test_shell",
    "engine/test_drafting",
    "mlxsite/test_doctor",
    "mlxsite/connect/test_connect",
    "mlxsite/connect/test_refusals",
    "mlxsite/connect/test_showing",
    "dialects/test_forced_calls",
    "metrics/test_older_versions",
    "metrics/test_admin",
    "engine/test_vision_families",
    "mlxsite/test_start",
    "engine/test_draft_gains",
    "test_models_admin",
    "engine/test_prefixes",
    "engine/test_kv_cache",
    "metrics/test_recorder_faults",
    "mlxsite/test_cli",
    "mlxsite/test_default_model",
    "library/test_hub",
    "library/test_import",
    "images/test_decoding",
    "prompting/test_model_kinds",
    "mlxsite/test_settings",
    "library/test_hub_refusals",
    "engine/test_gguf_quants",
    "images/test_hostile_servers",
    "engine/test_long_answers",
    "engine/test_encoding",
    "engine/test_encoders",
)
_PLACES = {name: place for place, name in enumerate(LONGEST)}


def sort(items: list[pytest.Item]) -> None:
    """Put the longest modules first and mark their tests.

    In a module only tests of families of models move: those of one follow each other.
    """
    items.sort(key=lambda item: (_place(item), _family(item)))
    for item in items:
        if _place(item) < len(LONGEST):
            item.add_marker(pytest.mark.long)


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).with_suffix("").as_posix()
    return _PLACES.get(name, len(LONGEST))


def _family(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec is not None else None
    return case.family if isinstance(case, Case) and _place(item) < len(LONGEST) else ""
