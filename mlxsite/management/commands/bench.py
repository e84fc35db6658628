"""`mlx-server bench`: how quick a server is, alone or in turns with another one."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils import timezone
from rich.console import Console

from inference.client.bench import Bench, BenchError, Target, length_of
from inference.client.faults import ServerError
from inference.client.prompts import PromptError, essays, read_prompts, repeated, words
from inference.client.server import ServerClient
from inference.conf import ServerConfig
from inference.management.client_command import (
    FAILED,
    INTERRUPTED,
    WRONG_USAGE,
    ClientCommand,
)
from mlxsite.bench.keeping import NotKeptError, keep
from mlxsite.bench.options import STDOUT, PlanError, add_bench_options, plan_of
from mlxsite.bench.progress import BenchProgress
from mlxsite.bench.report import Report, RunSettings
from mlxsite.bench.tables import print_report
from mlxsite.startup.network import base_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser

    from inference.client.address import ServerAddress
    from inference.client.bench import BenchPlan
    from inference.client.prompts import Messages


@dataclass(frozen=True, slots=True)
class End:
    """How measuring ended: an exit code, and words where it was too early."""

    code: int = 0
    words: str = ""


class Command(ClientCommand):
    """Measures, prints, keeps; what is measured when Ctrl-C comes is printed too."""

    help = (
        "Measure how quick a server is: first token, between tokens, tokens a second."
    )
    examples = (
        "%(prog)s SmolLM2-135M-Instruct",
        "%(prog)s big --concurrency 1,8,32 --input-tokens 1000 --max-tokens 200",
        "%(prog)s big --prompt-file prompts.txt --json figures.json",
        "%(prog)s big --against http://127.0.0.1:8081 --against-model default_model",
    )

    def add_options(self, parser: CommandParser) -> None:
        """Declare the options; usage errors stay short."""
        parser.usage = "%(prog)s MODEL [OPTIONS]"
        add_bench_options(parser)

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Measure, then tell and keep what was measured."""
        try:
            bench = self._prepare(address, options)
        except (PlanError, PromptError) as error:
            self.leave(str(error), WRONG_USAGE)
        except BenchError as error:
            self.leave(str(error), FAILED)
        began_at, began = timezone.now(), time.perf_counter()
        end = self._measure(bench)
        report = Report.of(
            bench,
            _run_settings(address, options),
            at=began_at,
            duration_s=time.perf_counter() - began,
        )
        if report.figures:
            self._tell(report, options)
        if end.code:
            self.stderr.write(end.words)
            sys.exit(end.code)
        if not options["no_keep"]:
            self._keep(report)
        self._write_json(report, options["json"])
        if report.errors:
            sys.exit(FAILED)

    def _prepare(self, address: ServerAddress, options: dict[str, Any]) -> Bench:
        plan = plan_of(options)
        targets = tuple(_targets(address, options))
        prompts = asyncio.run(_prompts(targets[0], plan, options))
        return Bench(plan, targets, prompts)

    def _measure(self, bench: Bench) -> End:
        """Measure to the end, or until something ends it; return which it was."""
        plan = bench.plan
        requests = plan.requests_in_all(len(bench.targets))
        with BenchProgress(requests=requests, rounds=plan.rounds) as progress:
            bench.on_step = progress.show_step
            bench.on_end = progress.count_one
            bench.on_round = progress.show_round
            try:
                asyncio.run(bench.run())
            except BenchError as error:
                return End(FAILED, f"error: {error}")
            except KeyboardInterrupt:
                return End(INTERRUPTED, "Stopped before the end: the run is not kept.")
            return End()

    def _tell(self, report: Report, options: dict[str, Any]) -> None:
        """Print the tables, or the JSON that was asked for instead."""
        if options["json"] == STDOUT:
            self.stdout.write(_json(report))
        else:
            print_report(Console(highlight=False), report)

    def _write_json(self, report: Report, file: str | None) -> None:
        if file in {None, STDOUT}:
            return
        try:
            Path(str(file)).write_text(f"{_json(report)}\n")
        except OSError as error:
            self.leave(f"{file} cannot be written: {error.strerror}", FAILED)

    def _keep(self, report: Report) -> None:
        """Say where the run is kept, or that it is not; on stderr, beside the figures."""
        try:
            run = keep(report)
        except NotKeptError as error:
            self.stderr.write(f"Not kept: {error}")
            return
        config = ServerConfig.from_settings()
        where = f"{base_url(config.host, config.port)}/admin/metrics/benchrun/"
        self.stderr.write(f"Kept as run {run.pk}: {where}")


def _json(report: Report) -> str:
    return json.dumps(report.to_json(), indent=1)


def _targets(address: ServerAddress, options: dict[str, Any]) -> Iterator[Target]:
    """Yield the servers: this one, and the one it is measured against."""
    model = options["model"]
    yield Target(_label(address.base_url), address.base_url, model, address.api_key)
    if options["against"]:
        yield Target(
            _label(options["against"]),
            options["against"],
            options["against_model"] or model,
            options["against_key"] or "",
        )


async def _prompts(
    target: Target, plan: BenchPlan, options: dict[str, Any]
) -> Iterator[Messages]:
    """Return what is asked, one prompt after the other."""
    if options["prompt_file"]:
        return repeated(read_prompts(options["prompt_file"]))
    if options["input_tokens"]:
        length = await length_of(target, timeout_s=plan.timeout_s)
        return words(length.words_for(options["input_tokens"]))
    return essays()


def _run_settings(address: ServerAddress, options: dict[str, Any]) -> RunSettings:
    kind = "words" if options["input_tokens"] else "essays"
    file = options["prompt_file"]
    return RunSettings(
        prompts=f"file {file.name}" if file else kind,
        input_tokens=options["input_tokens"],
        note=options["note"],
        is_near=address.is_near,
        node=ServerConfig.from_settings().node_name,
        computes_on=_computes_on(address, options["model"]),
    )


def _computes_on(address: ServerAddress, model: str) -> str:
    """Return what the server says that this model's worker computes on."""
    try:
        models = ServerClient(address).models()
    except ServerError:
        return ""
    told = (one.get("computes_on") for one in models if one.get("id") == model)
    return str(next(told, None) or "")


def _label(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
