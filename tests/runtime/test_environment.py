"""Workers start with the BLAS that is handed to them, and never ask a hub."""

from __future__ import annotations

from pathlib import Path

from inference.runtime.environment import worker_environment


def test_it_keeps_a_workers_hands_off_the_hub_and_the_users_settings() -> None:
    base = {
        "OPENBLAS_CORETYPE": "Haswell",
        "OPENBLAS_NUM_THREADS": "64",
        "PATH": "/bin",
    }
    environment = worker_environment(None, base)
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["OPENBLAS_CORETYPE"] == "Haswell"
    assert environment["OPENBLAS_NUM_THREADS"] == "64"
    assert environment["PATH"] == "/bin"
    assert "LD_PRELOAD" not in environment


def test_the_library_comes_before_what_the_user_preloads() -> None:
    environment = worker_environment(Path("/a/blas.so"), {"LD_PRELOAD": "/b/mine.so"})
    assert environment["LD_PRELOAD"] == "/a/blas.so /b/mine.so"
