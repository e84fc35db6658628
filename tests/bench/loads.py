"""How long a load takes beside the bare `mlx_lm.load`, in turns.

`python -m tests.bench.loads MODEL_DIR [ROUNDS]`. The bare load runs in a process of
its own that has imported mlx-lm before the clock starts, as a spare worker has; the
server's is a `POST /v1/models/load`, timed by its client. Seconds; medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from inference.runtime.environment import worker_environment
from tests.e2e.servers import REPOSITORY, Server, wait_until
from tests.fast_blas import openblas_for_tests

TINY = REPOSITORY / "tests" / "models" / "tiny-qwen2-vl"
BARE = """
import sys, time
from mlx_lm import load
import mlx.core as mx
sys.stdin.readline()
began = time.perf_counter()
load(sys.argv[1])
print(time.perf_counter() - began)
"""


def bare_load_s(model: Path) -> float:
    """Return how long mlx-lm takes, once it is imported."""
    result = subprocess.run(
        [sys.executable, "-c", BARE, str(model)],
        env=worker_environment(openblas_for_tests()),
        input="\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return float(result.stdout.split()[-1])


def served_load_s(server: Server, model: Path) -> float:
    """Return how long the server takes, its spare worker being warm."""
    _wait_spare(server)
    began = time.perf_counter()
    answer = httpx.post(
        f"{server.base_url}/v1/models/load",
        json={"model": str(model), "key": "timed"},
        timeout=600,
    )
    took_s = time.perf_counter() - began
    answer.raise_for_status()
    unload = f"{server.base_url}/v1/models/unload"
    httpx.post(unload, json={"key": "timed"}, timeout=60).raise_for_status()
    return took_s


def _wait_spare(server: Server) -> None:
    """Return when there is a spare worker and it has nothing left to import."""
    wait_until(lambda: len(server.worker_pids()) == 2, "a spare worker")
    (pid,) = server.worker_pids()[-1:]
    last = -1.0
    while (now := _cpu_s(pid)) != last:
        last = now
        time.sleep(1.0)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return float(fields[11]) + float(fields[12])


def main(model: Path, rounds: int) -> None:
    """Print each pair, and the median of the ratios."""
    ratios = []
    with tempfile.TemporaryDirectory() as data:
        server = Server(
            Path(data) / "data", TINY, SPARE_WORKER="1", MODEL_DIRS=str(model)
        ).wait_ready()
        try:
            for number in range(1, rounds + 1):
                bare, served = bare_load_s(model), served_load_s(server, model)
                ratios.append(served / bare)
                sys.stdout.write(
                    f"{number}: bare {bare:.2f} s, served {served:.2f} s\n"
                )
        finally:
            server.stop()
    median = statistics.median(ratios)
    sys.stdout.write(f"served / bare: median {median:.2f} of {rounds}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
