"""The whole examination: which looks there are, and how long each may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxsite.doctor.findings import State
from mlxsite.doctor.looks import Answer, Look, all_found
from mlxsite.doctor.machine import (
    PROBE_S,
    EngineError,
    ask_engine,
    look_at_engine,
    look_at_machine,
    look_at_python,
    look_at_settings,
    look_at_versions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.conf import ServerConfig
    from mlxsite.doctor.findings import Finding
    from mlxsite.doctor.machine import Engine

QUICK_S = 10.0
ENGINE_S = PROBE_S + 5.0


def examine(config: ServerConfig | None, *, problem: str = "") -> list[Finding]:
    """Look at everything; without settings, at what needs none."""
    engine = Answer(lambda: ask_engine(config))
    asked_bytes = config.memory_budget_bytes if config else 0
    looks = [
        Look("Python", QUICK_S, look_at_python),
        Look("machine", QUICK_S, look_at_machine),
        Look(
            "MLX",
            ENGINE_S,
            lambda: look_at_engine(lambda: engine.within(ENGINE_S), asked_bytes),
        ),
        Look("versions", QUICK_S, look_at_versions),
        Look("settings", QUICK_S, lambda: look_at_settings(config, problem)),
    ]
    if config is not None:
        looks += _looks_with_settings(config, engine)
    return all_found(looks)


def is_healthy(findings: list[Finding]) -> bool:
    """Whether nothing is wrong; warnings are not."""
    return all(finding.state is not State.WRONG for finding in findings)


def _looks_with_settings(
    config: ServerConfig, engine: Answer[Engine]
) -> Iterator[Look]:
    # Imported here: without settings there are no models to import.
    from mlxsite.doctor.serving import look_at_models, look_at_port
    from mlxsite.doctor.stores import look_at_data_dir, look_at_database

    yield Look("database", QUICK_S, look_at_database)
    yield Look("data folder", QUICK_S, lambda: look_at_data_dir(config))
    yield Look("port", QUICK_S, lambda: look_at_port(config))
    yield Look("model", ENGINE_S, lambda: look_at_models(config, _gpu_bytes(engine)))


def _gpu_bytes(engine: Answer[Engine]) -> int:
    try:
        return engine.within(ENGINE_S).gpu_memory_bytes
    except (EngineError, TimeoutError, ValueError):
        return 0
