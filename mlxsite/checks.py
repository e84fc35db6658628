"""System checks: what is wrong with a configuration, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning

from inference.conf import ServerConfig
from inference.core.origins import ANY, SETTING
from inference.library.openblas import advice_on, lacks_openblas
from metrics.recorder.redaction import RedactorError, find_redactor
from mlxsite.options import SECONDS, SIZES, WHOLE
from mlxsite.startup.network import is_loopback

OLDEST_SQLITE = (3, 35, 0)
NUMBERS = {
    "PORT": "MLX_PORT",
    "MAX_CONCURRENCY": "MLX_MAX_CONCURRENCY",
    "QUEUE_SIZE": "MLX_QUEUE_SIZE",
    "DEFAULT_MAX_TOKENS": "MLX_DEFAULT_MAX_TOKENS",
    "QUEUE_TIMEOUT": "MLX_QUEUE_TIMEOUT_S",
    "REQUEST_TIMEOUT": "MLX_REQUEST_TIMEOUT_S",
    "DRAIN_TIMEOUT": "MLX_DRAIN_TIMEOUT_S",
    "READ_DEADLINE": "MLX_READ_DEADLINE_S",
    "STALL_TIMEOUT": "MLX_STALL_TIMEOUT_S",
    "CONNECTIONS_PER_CLIENT": "MLX_CONNECTIONS_PER_CLIENT",
    "HANG_TIMEOUT": "MLX_HANG_TIMEOUT_S",
    "SSE_KEEPALIVE_AFTER_S": "MLX_SSE_KEEPALIVE_AFTER_S",
    "RESPONSES_RETENTION": "MLX_RESPONSES_RETENTION_S",
    "RESPONSES_MAX_BYTES": "MLX_RESPONSES_MAX_BYTES",
}

AppConfigs = Sequence[AppConfig] | None


@register(Tags.files)
def check_data_dir(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E001, E002: the data folder and the spool in it can be written."""
    data_dir = Path(settings.MLX_DATA_DIR)
    hint = "Set MLX_DATA_DIR to a folder you may write to."
    if not _is_writable_dir(data_dir):
        message = f"The data folder {data_dir} cannot be written."
        return [Error(message, hint=hint, id="mlxsite.E001")]
    spool = data_dir / "spool"
    if spool.exists() and not _is_writable_dir(spool):
        message = f"The spool folder {spool} cannot be written."
        return [Error(message, hint=hint, id="mlxsite.E002")]
    return []


@register(Tags.security)
def check_exposure(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E003, E004, E011: who can reach it must know a key, and see no internals."""
    return list(exposure_errors(ServerConfig.from_settings()))


@register()
def check_redactor(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E010: what is to redact prompts and answers is there."""
    try:
        find_redactor(ServerConfig.from_settings().body_redactor)
    except RedactorError as error:
        hint = "Name a function as package.module.function."
        return [Error(f"{error}.", hint=hint, id="mlxsite.E010")]
    return []


@register()
def check_key(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E009: clients can send the keys in a header."""
    config = ServerConfig.from_settings()
    keys = {"MLX_API_KEY": config.api_key, "METRICS_KEY": config.metrics_key}
    return [
        Error(
            f"{name} has characters that no client can send.",
            hint="Use printable ASCII without spaces.",
            id="mlxsite.E009",
        )
        for name, key in keys.items()
        if not all("!" <= character <= "~" for character in key)
    ]


def exposure_errors(config: ServerConfig) -> Iterator[CheckMessage]:
    """Yield what makes `config` unsafe on a network, or in a browser."""
    if ANY in config.cors_origins and not config.api_key:
        yield Error(
            f"{SETTING}=* lets every web page in, and no key is set.",
            hint="Set MLX_API_KEY, or name the origins.",
            id="mlxsite.E011",
        )
    if is_loopback(config.host):
        return
    if not config.api_key and not config.allow_no_auth:
        yield Error(
            f"Host {config.host} lets other machines in, and no key is set.",
            hint="Set MLX_API_KEY, or ALLOW_NO_AUTH=1 if everyone may use the server.",
            id="mlxsite.E003",
        )
    if settings.DEBUG:
        yield Error(
            f"DEBUG is on while host {config.host} lets other machines in.",
            hint="Unset DEBUG: its error pages show settings and source.",
            id="mlxsite.E004",
        )


@register()
def check_numbers(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E005: every number lies within its bounds."""
    return list(_number_errors())


def _number_errors() -> Iterator[CheckMessage]:
    for variable, setting in NUMBERS.items():
        option = (WHOLE | SECONDS | SIZES)[variable]
        try:
            option.parse(str(getattr(settings, setting)))
        except ValueError as error:
            yield Error(
                f"{variable} {error}.",
                hint="The README's table of settings has the bounds.",
                id="mlxsite.E005",
            )


@register(Tags.database)
def check_sqlite(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E006: SQLite is new enough for the recorder's statements."""
    if sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return []
    needed = ".".join(map(str, OLDEST_SQLITE))
    return [
        Error(
            f"SQLite {sqlite3.sqlite_version} is too old: {needed} is needed.",
            hint="Use another Python, or set DATABASE_URL to a PostgreSQL server.",
            id="mlxsite.E006",
        )
    ]


@register()
def check_channel_layer(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E007: the channel layer that is asked for is installed."""
    package = str(settings.CHANNEL_LAYERS["default"]["BACKEND"]).partition(".")[0]
    if importlib.util.find_spec(package) is not None:
        return []
    return [
        Error(
            f"CHANNEL_LAYER_URL is set, but {package} is not installed.",
            hint="Install it: pip install 'mlx-server[redis]'.",
            id="mlxsite.E007",
        )
    ]


@register(Tags.templates)
def check_templates(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """E008: the pages' templates came with the code."""
    folders: list[Path] = settings.TEMPLATES[0]["DIRS"]  # type: ignore[assignment]
    missing = [path for path in folders if not path.is_dir()]
    return [
        Error(
            f"The templates folder {path} is missing.",
            hint="Install the project again, or start from a complete checkout.",
            id="mlxsite.E008",
        )
        for path in missing
    ]


@register(Tags.security)
def check_allowed_hosts(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """W001: the Host header still keeps other sites' pages out."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        CheckWarning(
            "ALLOWED_HOSTS accepts every host name.",
            hint="Name the hosts: any web page could reach this server otherwise.",
            id="mlxsite.W001",
        )
    ]


@register()
def check_openblas(app_configs: AppConfigs, **_: Any) -> list[CheckMessage]:
    """W002: on a Linux CPU matrices are multiplied by a quick library."""
    choice = ServerConfig.from_settings().openblas
    if not lacks_openblas(choice):
        return []
    return [
        CheckWarning(
            "OpenBLAS was not found: models on the CPU run several times slower.",
            hint=advice_on(choice),
            id="mlxsite.W002",
        )
    ]


def _is_writable_dir(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
