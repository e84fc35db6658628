"""`mlx-server launch`: everything between the command line and the open port."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, run_checks
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from inference.conf import ServerConfig
from inference.known_models import KnownModels, shared_library
from inference.library.models_file import ModelsFileError
from inference.library.openblas import OpenBlasError, provide_openblas
from mlxsite.checks import exposure_errors
from mlxsite.cli import WRONG_USAGE
from mlxsite.options import MODEL_TYPES, SECONDS, WHOLE, bounded
from mlxsite.startup.admin_user import (
    ADMIN_NAME,
    ensure_admin,
    was_admin_made_since,
)
from mlxsite.startup.database import ensure_database
from mlxsite.startup.descriptors import raise_descriptor_limit
from mlxsite.startup.errors import StartupError
from mlxsite.startup.model_kind import with_kind
from mlxsite.startup.model_source import resolve_models
from mlxsite.startup.network import base_url, ensure_port_is_free
from mlxsite.startup.steps import step

if TYPE_CHECKING:
    from pathlib import Path

    from inference.core.models import ModelSource

EXAMPLES = """\
examples:
  %(prog)s
  %(prog)s --model-path ~/models/Qwen3-4B-4bit --port 9000
  %(prog)s --model-path mlx-community/Llama-3.2-1B-Instruct-4bit
  %(prog)s --model-path quick=~/models/Qwen3-0.6B-4bit --model-path ~/models/Qwen3-8B-4bit
  %(prog)s --max-concurrency 1        one request at a time
  MLX_API_KEY=... %(prog)s --host 0.0.0.0

Every default can also be set as an environment variable or in .env.
"""


class Command(BaseCommand):
    """Reads the options, prepares what is missing, and serves."""

    help = "Start the OpenAI-compatible server."
    requires_system_checks = []

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        """Keep the line breaks of the examples, and usage errors short."""
        return super().create_parser(
            prog_name,
            subcommand,
            usage="%(prog)s [OPTIONS]",
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; each default comes from the settings."""
        add = parser.add_argument
        default = ServerConfig.from_settings()
        add(
            "--model-path",
            dest="models",
            action="append",
            metavar="[KEY=]FOLDER|ORG/NAME",
            help="model to serve, once for each (default: an embedded one)",
        )
        add(
            "--model-type",
            choices=MODEL_TYPES[1:],
            default=default.model_type,
            help="text (lm), vision-language (vlm) or encoder; default: found out",
        )
        add("--host", default=default.host, help="address to listen on (%(default)s)")
        self._add_number(parser, "--port", "PORT", default.port, "port (%(default)s)")
        self._add_number(
            parser,
            "--max-concurrency",
            "MAX_CONCURRENCY",
            default.max_concurrency,
            "requests generated at a time (%(default)s)",
        )
        self._add_number(
            parser,
            "--queue-size",
            "QUEUE_SIZE",
            default.queue_size,
            "requests that may wait (%(default)s)",
        )
        self._add_number(
            parser,
            "--queue-timeout",
            "QUEUE_TIMEOUT",
            default.queue_timeout_s,
            "seconds a request may wait (%(default)s)",
        )
        self._add_number(
            parser,
            "--request-timeout",
            "REQUEST_TIMEOUT",
            default.request_timeout_s or 0,
            "seconds for a whole request; 0: no limit",
        )
        self._add_number(
            parser,
            "--drain-timeout",
            "DRAIN_TIMEOUT",
            default.drain_timeout_s,
            "seconds for running requests at the end",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop; leave with the server's exit code."""
        self._up_since, self._began_at = time.monotonic(), timezone.now()
        try:
            code = self.start(self.read_options(options))
        except StartupError as error:
            self.stderr.write(f"error: {error}")
            code = WRONG_USAGE
        if code:
            sys.exit(code)

    def start(self, config: ServerConfig) -> int:
        """Take each step of a start, in an order that fails early and cheaply."""
        self.refuse_wrong_configuration(config)
        self.make_room_for_connections(config)
        ensure_port_is_free(config.host, config.port)
        self.prepare_database(config)
        self.prepare_admin(config)
        self.check_models_file(config)
        models = [
            with_kind(model, config.model_type)
            for model in resolve_models(config.default_models, data_dir=config.data_dir)
        ]
        openblas = self.prepare_openblas(config)
        self.allow_own_host(config)
        return self.serve(config, models, openblas)

    def read_options(self, options: dict[str, Any]) -> ServerConfig:
        """Lay the command line's words over the settings."""
        config = ServerConfig.from_settings()
        models = tuple(filter(None, options["models"] or ())) or config.default_models
        return replace(
            config,
            default_models=models,
            model_type=options["model_type"],
            host=options["host"],
            port=options["port"],
            max_concurrency=options["max_concurrency"],
            queue_size=options["queue_size"],
            queue_timeout_s=options["queue_timeout"],
            request_timeout_s=options["request_timeout"] or None,
            drain_timeout_s=options["drain_timeout"],
        )

    def refuse_wrong_configuration(self, config: ServerConfig) -> None:
        """Print a line for each thing that is wrong; errors end the start."""
        found = [message for message in run_checks() if not message.is_silenced()]
        # The command line may have changed the host that the settings name.
        exposed = {"mlxsite.E003", "mlxsite.E004", "mlxsite.E011"}
        found = [message for message in found if message.id not in exposed]
        found += exposure_errors(config)
        for message in found:
            self.stderr.write(_line(message))
        if any(message.level >= ERROR for message in found):
            sys.exit(WRONG_USAGE)

    def make_room_for_connections(self, config: ServerConfig) -> None:
        """Raise the limit of open files, and say where that is not enough."""
        short = raise_descriptor_limit(config.connections_per_client)
        if short:
            self.stderr.write(f"warning: {short}")

    def prepare_database(self, config: ServerConfig) -> None:
        """Bring the tables up to date."""
        applied = ensure_database(config.data_dir)
        if applied:
            self.stdout.write(f"Database: {applied} migrations applied")

    def prepare_admin(self, config: ServerConfig) -> None:
        """Make the first staff user and say once how to log in."""
        password = ensure_admin()
        at = f"Admin: {base_url(config.host, config.port)}/admin/"
        if password is not None:
            self.stdout.write(
                f"{at}  user: {ADMIN_NAME}  password: {password}\n"
                "(shown once; mlx-server admin --reset makes a new one)"
            )
        elif was_admin_made_since(self._began_at):
            self.stdout.write(
                f"{at}  user: {ADMIN_NAME}, made just now by another process, which "
                "shows the password\n(mlx-server admin --reset makes a new one)"
            )

    def check_models_file(self, config: ServerConfig) -> None:
        """Refuse a file of models with a mistake in it."""
        try:
            KnownModels(config, shared_library(config)).check_file()
        except ModelsFileError as error:
            raise StartupError(str(error)) from None

    def prepare_openblas(self, config: ServerConfig) -> Path | None:
        """Return what workers preload; a copy of the package's is made once."""
        try:
            return provide_openblas(
                config.openblas, config.openblas_folder, announce=step
            )
        except OpenBlasError as error:
            self.stderr.write(
                f"warning: {error}. Models on the CPU run several times slower."
            )
            return None

    def allow_own_host(self, config: ServerConfig) -> None:
        """Accept the address that is listened on as a Host header."""
        if config.host not in settings.ALLOWED_HOSTS:
            settings.ALLOWED_HOSTS.append(config.host)

    def serve(
        self, config: ServerConfig, models: list[ModelSource], openblas: Path | None
    ) -> int:
        """Hand over to the server, which returns when it has drained."""
        from mlxsite.server.lifecycle import serve

        self.stdout.flush()
        return serve(config, models, openblas=openblas, up_since=self._up_since)

    def _add_number(
        self, parser: CommandParser, flag: str, variable: str, default: float, text: str
    ) -> None:
        option = WHOLE.get(variable) or SECONDS[variable]
        parser.add_argument(
            flag, type=bounded(option.parse), default=default, metavar="N", help=text
        )


def _line(message: CheckMessage) -> str:
    kind = "error" if message.level >= ERROR else "warning"
    words = f"{kind}: {message.msg} {message.hint or ''} ({message.id})"
    return " ".join(words.split())
