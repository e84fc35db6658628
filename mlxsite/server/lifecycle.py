"""One server run: compose, start the service, serve, drain, close the books."""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings

from inference.auth import SharedKey
from inference.core.limits import DEFAULT_LIMITS
from inference.core.outcomes import ModelState
from inference.core.trace import ServerIdentity
from inference.models import ModelEntry
from inference.runtime.app import App, install_app
from inference.runtime.config import ModelSource, RuntimeConfig
from inference.runtime.service import ModelService
from metrics.completion_log import CompletionLog
from metrics.observers import Observers
from metrics.recorder import Recorder
from metrics.totals import Totals
from mlxsite.asgi import application
from mlxsite.logs import written_by_a_thread
from mlxsite.server.daphne_server import ServerBounds, StreamServer
from mlxsite.server.refusals import leave_row
from mlxsite.startup.network import base_url

if TYPE_CHECKING:
    from inference.conf import ServerConfig
    from inference.runtime.served import ServedModel

logger = logging.getLogger("mlxsite")

FAILED_START = 2
RECORD_FLUSH_S = 5.0


def serve(config: ServerConfig, source: ModelSource) -> int:
    """Serve one model until a signal ends the process; return the exit code."""
    # Long pure-Python stretches must give way to the loop.
    sys.setswitchinterval(0.001)
    with written_by_a_thread():
        return ServerRun(config, source).run()


class ServerRun:
    """Owns everything that lives as long as the server: service, record, Daphne."""

    def __init__(self, config: ServerConfig, source: ModelSource) -> None:
        self._config = config
        self._source = source
        identity = ServerIdentity(node=config.node_name, boot_id=uuid.uuid4().hex)
        self._totals = Totals()
        self._recorder = Recorder(data_dir=config.data_dir, identity=identity)
        # The log line tells the average that includes its own request.
        self._observer = Observers(
            (self._totals, self._recorder, CompletionLog(self._totals))
        )
        self._identity = identity

    def run(self) -> int:
        """Serve until the end; return the exit code."""
        # Replays what dead runs left, so that the totals know it too.
        self._recorder.start()
        self._totals.load()
        self._source = _with_entry(self._source)
        server = StreamServer(
            application,
            endpoints=[_endpoint(self._config.host, self._config.port)],
            bounds=ServerBounds.of(
                DEFAULT_LIMITS,
                read_deadline_s=self._config.read_deadline_s,
                stall_timeout_s=self._config.stall_timeout_s,
            ),
            on_drain=self._drain,
            on_refusal=leave_row,
        )
        asyncio.set_event_loop(server.loop)
        model = server.loop.run_until_complete(self._start_service())
        watcher = server.loop.create_task(self._announce(model, server))
        server.run()
        watcher.cancel()
        self._recorder.stop(RECORD_FLUSH_S)
        logger.info("Stopped")
        return server.exit_code

    async def _start_service(self) -> ServedModel:
        config = self._config
        self._service = ModelService(
            config=RuntimeConfig(
                max_concurrency=config.max_concurrency,
                queue_size=config.queue_size,
                queue_timeout_s=config.queue_timeout_s,
                request_timeout_s=config.request_timeout_s,
                default_max_tokens=config.default_max_tokens,
                any_model_name=config.any_model_name,
                hang_timeout_s=config.hang_timeout_s,
            ),
            observer=self._observer,
            identity=self._identity,
        )
        install_app(
            App(
                service=self._service,
                observer=self._observer,
                stats=self._totals,
                keys=SharedKey(config.api_key),
                identity=self._identity,
                record=self._recorder,
                sse_keepalive_after_s=config.sse_keepalive_after_s,
                allowed_hosts=tuple(settings.ALLOWED_HOSTS),
                strict_params=config.strict_params,
            )
        )
        self._service.publish("server_start", detail=f"port {config.port}")
        return self._service.serve(self._source)

    async def _announce(self, model: ServedModel, server: StreamServer) -> None:
        """Say where to point a client once the model answers; end if it cannot."""
        url = base_url(self._config.host, self._config.port)
        logger.info("Listening on %s; loading %s", url, model.key)
        card = await model.wait_settled()
        if card.state is ModelState.READY:
            logger.info(
                "Ready: point the OpenAI SDK at %s/v1 (model %s)", url, card.key
            )
        elif card.state is ModelState.FAILED:
            server.end(FAILED_START)

    async def _drain(self, hurry: asyncio.Event) -> None:
        logger.info("Draining for up to %g s", self._config.drain_timeout_s)
        self._service.publish("server_stop")
        await self._service.drain(self._config.drain_timeout_s, hurry=hurry)
        await self._service.stop()


def _with_entry(source: ModelSource) -> ModelSource:
    """Return the source with the sampling defaults of its entry in the admin."""
    entry = ModelEntry.objects.entry_for(
        source.key, source=str(source.path), kind=source.kind
    )
    return replace(source, defaults=entry.sampling_defaults())


def _endpoint(host: str, port: int) -> str:
    """Return a Twisted endpoint description for a TCP address."""
    interface = host.replace(":", "\\:")
    return f"tcp:port={port}:interface={interface}"
