"""Which probes there are, and the time limit of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxsite.doctor.findings import State
from mlxsite.doctor.machine import (
    PROBE_S,
    EngineError,
    ask_engine,
    check_engine,
    check_machine,
    check_python,
    check_settings,
    check_versions,
)
from mlxsite.doctor.probes import Probe, ProbeAnswer, all_found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.conf import ServerConfig
    from mlxsite.doctor.findings import Finding
    from mlxsite.doctor.machine import EngineProbe

QUICK_S = 10.0
ENGINE_S = PROBE_S + 5.0


def examine(config: ServerConfig | None, *, problem: str = "") -> list[Finding]:
    """Run all probes; without settings, those that need none."""
    engine = ProbeAnswer(lambda: ask_engine(config))
    asked_bytes = config.memory_budget_bytes if config else 0
    probes = [
        Probe("Python", QUICK_S, check_python),
        Probe("machine", QUICK_S, check_machine),
        Probe(
            "MLX",
            ENGINE_S,
            lambda: check_engine(lambda: engine.within(ENGINE_S), asked_bytes),
        ),
        Probe("versions", QUICK_S, check_versions),
        Probe("settings", QUICK_S, lambda: check_settings(config, problem)),
    ]
    if config is not None:
        probes += _probes_with_settings(config, engine)
    return all_found(probes)


def is_healthy(findings: list[Finding]) -> bool:
    """Whether nothing is wrong; warnings are not."""
    return all(finding.state is not State.WRONG for finding in findings)


def _probes_with_settings(
    config: ServerConfig, engine: ProbeAnswer[EngineProbe]
) -> Iterator[Probe]:
    # Imported here: without settings there are no models to import.
    from mlxsite.doctor.serving import check_models, check_port
    from mlxsite.doctor.stores import check_data_dir, check_database

    yield Probe("database", QUICK_S, check_database)
    yield Probe("data folder", QUICK_S, lambda: check_data_dir(config))
    yield Probe("port", QUICK_S, lambda: check_port(config))
    yield Probe("model", ENGINE_S, lambda: check_models(config, _gpu_bytes(engine)))


def _gpu_bytes(engine: ProbeAnswer[EngineProbe]) -> int:
    try:
        return engine.within(ENGINE_S).gpu_memory_bytes
    except (EngineError, TimeoutError, ValueError):
        return 0
