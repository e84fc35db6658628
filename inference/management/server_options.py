"""`--base-url` and `--api-key`: owns which server a command speaks to, and its key.

Every command that is a client declares them here.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from inference.client.address import (
    AddressError,
    ServerAddress,
    is_loopback,
    read_base_url,
)
from inference.conf import ServerConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- to ask, not to listen


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Declare where the server is. `server_address` reads what was given."""
    group = parser.add_argument_group("server")
    group.add_argument(
        "--base-url",
        "--url",
        type=_base_url,
        metavar="URL",
        help="any OpenAI-compatible server "
        f"(OPENAI_BASE_URL; else {_own_base_url(ServerConfig.from_settings())})",
    )
    group.add_argument(
        "--api-key", metavar="KEY", help="its key (OPENAI_API_KEY or MLX_API_KEY)"
    )


def server_address(
    options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> ServerAddress:
    """Return the server that is meant: options first, environment, then settings.

    Raises:
        AddressError: OPENAI_BASE_URL is none.
    """
    config = ServerConfig.from_settings()
    named = options.get("base_url") or environment.get("OPENAI_BASE_URL", "").strip()
    own = _own_base_url(config)
    base_url = _named(named) if named else own
    key = options.get("api_key") or _key(base_url, config, own, environment)
    return ServerAddress(base_url, key)


def _key(
    base_url: str, config: ServerConfig, own: str, environment: Mapping[str, str]
) -> str:
    """Return the key for an address; this server's own never goes to strangers."""
    general = environment.get("OPENAI_API_KEY", "").strip()
    if base_url == own:
        return config.api_key or general
    return general or (config.api_key if is_loopback(base_url) else "")


def _own_base_url(config: ServerConfig) -> str:
    host = EVERYWHERE.get(config.host, config.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{config.port}/v1"


def _named(text: str) -> str:
    try:
        return read_base_url(text)
    except AddressError as error:
        raise AddressError(f"OPENAI_BASE_URL: {error}") from None


def _base_url(text: str) -> str:
    try:
        return read_base_url(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
