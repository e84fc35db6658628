"""One server run: compose, start the service, serve, drain, close the books."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from inference.auth import Readers, SharedKey
from inference.core.limits import DEFAULT_LIMITS
from inference.core.origins import AllowedOrigins
from inference.core.outcomes import ModelState
from inference.core.trace import ServerIdentity
from inference.faces.prepare import prepare
from inference.known_models import KnownModels, shared_library
from inference.library.machine import core_count, memory_bytes
from inference.runtime.app import App, current_app, install_app
from inference.runtime.background import BackgroundAnswers
from inference.runtime.config import RuntimeConfig
from inference.runtime.environment import THREADS_SETTING
from inference.runtime.service import ModelService
from inference.runtime.supplies import Supplies
from metrics.completion_log import CompletionLog
from metrics.conf import keeping_of
from metrics.observers import Observers
from metrics.prometheus import PrometheusExposition, RunCounts
from metrics.recorder import Recorder, RunHeartbeat
from metrics.sampler import Sampler
from metrics.totals import Totals
from mlxsite import __version__
from mlxsite.asgi import application
from mlxsite.logs import written_by_a_thread
from mlxsite.pages.login import failures
from mlxsite.pages.sessions import StaffSessions
from mlxsite.server.daphne_server import ServerBounds, StreamServer, tcp_endpoint
from mlxsite.server.parts import (
    image_loader,
    response_store,
    scrapers,
    with_settings,
)
from mlxsite.server.proxies import TrustedProxies
from mlxsite.server.refusals import leave_row
from mlxsite.startup.network import base_url
from mlxsite.startup.steps import elapsed
from mlxsite.startup.versions import shown_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.conf import ServerConfig
    from inference.core.models import ModelSource

logger = logging.getLogger("mlx_server")

FAILED_START = 2
RECORD_FLUSH_S = 5.0


def serve(
    config: ServerConfig,
    sources: Sequence[ModelSource],
    *,
    openblas: Path | None,
    up_since: float,
) -> int:
    """Serve until a signal ends the process; return the exit code.

    The models are loaded in their order; the first is the default. Their workers
    preload `openblas`. The start began at `up_since` of the monotonic clock.
    """
    # Long pure-Python stretches must give way to the loop.
    sys.setswitchinterval(0.001)
    with written_by_a_thread():
        run = ServerLifecycle(config, sources, openblas=openblas, up_since=up_since)
        return run.run()


class ServerLifecycle:
    """Owns everything that lives as long as the server: service, record, Daphne."""

    def __init__(
        self,
        config: ServerConfig,
        sources: Sequence[ModelSource],
        *,
        openblas: Path | None,
        up_since: float,
    ) -> None:
        # Where the operator points to is a place of models like the others.
        started = [Path(source.path) for source in sources]
        self._config = config = replace(
            config, model_dirs=tuple(dict.fromkeys((*config.model_dirs, *started)))
        )
        self._sources = sources
        self._openblas = openblas
        identity = ServerIdentity(node=config.node_name, boot_id=uuid.uuid4().hex)
        self._totals = Totals()
        self._counts = RunCounts()
        self._recorder = Recorder(
            data_dir=config.data_dir, identity=identity, keeping=keeping_of(config)
        )
        self._heartbeat = RunHeartbeat(identity=identity, version=__version__)
        # The log line tells the average that includes its own request.
        self._observer = Observers(
            (self._totals, self._counts, self._recorder, CompletionLog(self._totals))
        )
        self._responses = response_store(config, identity)
        self._identity = identity
        self._up_since = up_since

    def run(self) -> int:
        """Serve until the end; return the exit code."""
        # Before anything that takes long: others must not take this run for lost.
        self._heartbeat.start()
        # Replays what dead runs left, so that the totals know it too.
        self._recorder.start()
        self._totals.load()
        prepare(DEFAULT_LIMITS)
        server = StreamServer(
            application,
            endpoints=[tcp_endpoint(self._config.host, self._config.port)],
            bounds=ServerBounds.of(
                DEFAULT_LIMITS,
                read_deadline_s=self._config.read_deadline_s,
                stall_timeout_s=self._config.stall_timeout_s,
                connections_per_client=self._config.connections_per_client,
            ),
            proxies=TrustedProxies(self._config.trusted_proxies),
            on_drain=self._drain,
            on_refusal=leave_row,
        )
        asyncio.set_event_loop(server.loop)
        server.loop.run_until_complete(self._start_service())
        watcher = server.loop.create_task(self._announce(server))
        # What lives as long as the server: walking through it again and again
        # would stop the loop for 20 ms each time.
        gc.collect()
        gc.freeze()
        server.run()
        watcher.cancel()
        self._heartbeat.stop()
        self._recorder.stop(RECORD_FLUSH_S)
        logger.info("Stopped")
        return server.exit_code

    async def _start_service(self) -> None:
        config = self._config
        catalog = KnownModels(config, shared_library(config))
        self._service = ModelService(
            config=RuntimeConfig(
                max_concurrency=config.max_concurrency,
                queue_size=config.queue_size,
                queue_timeout_s=config.queue_timeout_s,
                request_timeout_s=config.request_timeout_s,
                default_max_tokens=config.default_max_tokens,
                any_model_name=config.any_model_name,
                claude_model=config.claude_model,
                hang_timeout_s=config.hang_timeout_s,
                quarantine_after=config.quarantine_after,
                memory_budget_bytes=config.memory_budget_bytes,
                prompt_cache_bytes=config.prompt_cache_bytes,
                machine_bytes=memory_bytes(),
                default_ttl_s=config.model_ttl_s,
                allow_on_demand=config.allow_on_demand,
                has_spare_worker=config.has_spare_worker,
                openblas=self._openblas,
                cores=0 if os.environ.get(THREADS_SETTING) else core_count(),
            ),
            observer=self._observer,
            identity=self._identity,
            supplies=Supplies(catalog=catalog, images=image_loader(config)),
        )
        keys, hosts = SharedKey(config.api_key), tuple(settings.ALLOWED_HOSTS)
        origins = AllowedOrigins(config.cors_origins)
        install_app(
            App(
                service=self._service,
                observer=self._observer,
                stats=self._totals,
                keys=keys,
                identity=self._identity,
                record=self._recorder,
                sse_keepalive_after_s=config.sse_keepalive_after_s,
                allowed_hosts=hosts,
                origins=origins,
                readers=Readers(keys, allowed_hosts=hosts, origins=origins),
                scrapers=scrapers(config, keys, hosts),
                sessions=StaffSessions(),
                responses=self._responses,
                background=BackgroundAnswers(limit_bytes=config.responses_max_bytes),
                exposition=PrometheusExposition(
                    self._counts,
                    versions=shown_versions(),
                    has_old_names=config.metrics_old_names,
                ),
                strict_params=config.strict_params,
                allow_download=config.allow_download,
                record_bodies=config.record_bodies,
                loop=asyncio.get_running_loop(),
                version=__version__,
            )
        )
        self._service.publish(
            "server_start",
            detail=f"port {config.port}",
            data={
                "pid": os.getpid(),
                "models": [source.key for source in self._sources],
                "memory_budget_bytes": self._service.memory_budget_bytes,
            },
        )
        self._sampler = Sampler(
            look=self._service.snapshot,
            budget_bytes=lambda: self._service.memory_budget_bytes,
            observer=self._observer,
            identity=self._identity,
        )
        self._sampler.start()
        for source in self._sources:
            await catalog.remember(source)
        self._service.begin(
            [await with_settings(source, catalog) for source in self._sources]
        )

    async def _announce(self, server: StreamServer) -> None:
        """Say where to point a client once a model answers; end if none can."""
        url = base_url(self._config.host, self._config.port)
        keys = [source.key for source in self._sources]
        logger.info("Listening on %s; loading %s", url, ", ".join(keys))
        ready = []
        for place, key in enumerate(keys, 1):
            card = await self._service.wait_loaded(key)
            if server.is_ending:
                return
            if card.state is ModelState.READY:
                ready.append(key)
            else:
                logger.error("%d of %d: %s is not served", place, len(keys), key)
        if ready:
            logger.info(
                "Ready: point the OpenAI SDK at %s/v1 (model %s), %s after the start",
                url,
                ", ".join(ready),
                elapsed(time.monotonic() - self._up_since),
            )
        else:
            server.end(FAILED_START)

    async def _drain(self, hurry: asyncio.Event) -> None:
        logger.info("Draining for up to %g s", self._config.drain_timeout_s)
        self._service.publish(
            "server_stop", data={"up_s": time.monotonic() - self._up_since}
        )
        await self._service.drain(self._config.drain_timeout_s, hurry=hurry)
        await current_app().background.stop()
        failures.tell()
        await self._sampler.stop()
        await self._service.stop()
        if self._responses is not None:
            await self._responses.stop()
