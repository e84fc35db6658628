"""Django's system checks as findings; those with a look of their own are left out."""

from __future__ import annotations

from django.core.checks import ERROR, CheckMessage, run_checks

from mlxsite.doctor.findings import Finding, State

# The data folder (E001, E002) and OpenBLAS (W002).
LOOKED_AT_ELSEWHERE = frozenset({"mlxsite.E001", "mlxsite.E002", "mlxsite.W002"})


def check_findings() -> list[Finding]:
    """Return a finding for each check that has something to say."""
    return [
        _finding(message)
        for message in run_checks()
        if not message.is_silenced() and message.id not in LOOKED_AT_ELSEWHERE
    ]


def _finding(message: CheckMessage) -> Finding:
    state = State.WRONG if message.level >= ERROR else State.WARNING
    words = " ".join(str(message.msg).split())
    return Finding("settings", state, words, str(message.hint or ""))
