"""What the OpenAPI document says of `/v1` and `/health`."""

from __future__ import annotations

from inference.protocol.openapi.paths import server_paths
from inference.protocol.openapi.schemas import server_schemas

__all__ = ["server_paths", "server_schemas"]
