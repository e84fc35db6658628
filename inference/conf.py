"""The server's settings as one frozen value; the only reader of Django settings."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How one server runs. Times in seconds; `request_timeout_s=None` is no limit.

    A `memory_budget_bytes` of 0 is the machine's, `prompt_cache_bytes` of None a share
    of it, a `model_ttl_s` of 0 is for ever. With a `responses_retention_s` of 0 no
    response is stored.
    """

    model_type: str
    max_concurrency: int
    queue_size: int
    queue_timeout_s: float
    request_timeout_s: float | None
    host: str
    port: int
    default_max_tokens: int
    any_model_name: bool
    claude_model: str
    strict_params: bool
    sse_keepalive_after_s: float
    drain_timeout_s: float
    hang_timeout_s: float
    read_deadline_s: float
    stall_timeout_s: float
    connections_per_client: int
    trusted_proxies: tuple[str, ...]
    api_key: str
    metrics_key: str
    metrics_old_names: bool
    allow_no_auth: bool
    cors_origins: tuple[str, ...]
    node_name: str
    data_dir: Path
    openblas: str
    default_models: tuple[str, ...]
    model_dirs: tuple[Path, ...]
    models_file: Path
    allow_on_demand: bool
    allow_download: bool
    memory_budget_bytes: int
    prompt_cache_bytes: int | None
    model_ttl_s: float
    quarantine_after: int
    has_spare_worker: bool
    image_urls: str
    image_hosts: tuple[str, ...]
    image_timeout_s: float
    image_pixels: int
    record_bodies: bool
    body_redactor: str
    retention_days: int
    minute_retention_days: int
    hour_retention_days: int
    day_retention_days: int
    body_retention_days: int
    responses_retention_s: float
    responses_max_bytes: int

    @classmethod
    def from_settings(cls) -> ServerConfig:
        """Read the settings as they are now."""
        return cls(
            model_type=settings.MLX_MODEL_TYPE,
            max_concurrency=settings.MLX_MAX_CONCURRENCY,
            queue_size=settings.MLX_QUEUE_SIZE,
            queue_timeout_s=settings.MLX_QUEUE_TIMEOUT_S,
            request_timeout_s=settings.MLX_REQUEST_TIMEOUT_S or None,
            host=settings.MLX_HOST,
            port=settings.MLX_PORT,
            default_max_tokens=settings.MLX_DEFAULT_MAX_TOKENS,
            any_model_name=settings.MLX_ANY_MODEL_NAME,
            claude_model=settings.MLX_ANTHROPIC_MODEL,
            strict_params=settings.MLX_STRICT_PARAMS,
            sse_keepalive_after_s=settings.MLX_SSE_KEEPALIVE_AFTER_S,
            drain_timeout_s=settings.MLX_DRAIN_TIMEOUT_S,
            hang_timeout_s=settings.MLX_HANG_TIMEOUT_S,
            read_deadline_s=settings.MLX_READ_DEADLINE_S,
            stall_timeout_s=settings.MLX_STALL_TIMEOUT_S,
            connections_per_client=settings.MLX_CONNECTIONS_PER_CLIENT,
            trusted_proxies=tuple(settings.MLX_TRUSTED_PROXIES),
            api_key=settings.MLX_API_KEY,
            metrics_key=settings.MLX_METRICS_KEY,
            metrics_old_names=settings.MLX_METRICS_OLD_NAMES,
            allow_no_auth=settings.MLX_ALLOW_NO_AUTH,
            cors_origins=tuple(settings.MLX_CORS_ORIGINS),
            node_name=settings.MLX_NODE_NAME,
            data_dir=Path(settings.MLX_DATA_DIR),
            openblas=settings.MLX_OPENBLAS,
            default_models=tuple(
                filter(None, [settings.MLX_MODEL, *settings.MLX_DEFAULT_MODELS])
            ),
            model_dirs=tuple(settings.MLX_MODEL_DIRS),
            models_file=settings.MLX_MODELS_FILE,
            allow_on_demand=settings.MLX_ALLOW_ON_DEMAND,
            allow_download=settings.MLX_ALLOW_DOWNLOAD in {"", "true", "1"},
            memory_budget_bytes=settings.MLX_MEMORY_BUDGET,
            prompt_cache_bytes=(
                settings.MLX_PROMPT_CACHE if settings.MLX_PROMPT_CACHE >= 0 else None
            ),
            model_ttl_s=settings.MLX_MODEL_TTL_S,
            quarantine_after=settings.MLX_QUARANTINE_AFTER,
            has_spare_worker=settings.MLX_SPARE_WORKER,
            image_urls=settings.MLX_IMAGE_URLS,
            image_hosts=tuple(settings.MLX_IMAGE_HOSTS),
            image_timeout_s=settings.MLX_IMAGE_TIMEOUT_S,
            image_pixels=settings.MLX_IMAGE_PIXELS,
            record_bodies=settings.MLX_RECORD_BODIES,
            body_redactor=settings.MLX_BODY_REDACTOR,
            retention_days=settings.MLX_RETENTION_DAYS,
            minute_retention_days=settings.MLX_MINUTE_RETENTION_DAYS,
            hour_retention_days=settings.MLX_HOUR_RETENTION_DAYS,
            day_retention_days=settings.MLX_DAY_RETENTION_DAYS,
            body_retention_days=settings.MLX_BODY_RETENTION_DAYS,
            responses_retention_s=settings.MLX_RESPONSES_RETENTION_S,
            responses_max_bytes=settings.MLX_RESPONSES_MAX_BYTES,
        )

    @property
    def openblas_folder(self) -> Path:
        """Where the copy of the package's OpenBLAS is kept."""
        return self.data_dir / "openblas"

    @property
    def fetches_images(self) -> bool:
        """Whether images are fetched from http(s) URLs.

        Where nothing is said: if only this machine can ask for it, or if it is
        said which hosts they may come from.
        """
        if self.image_urls:
            return self.image_urls in {"true", "1"}
        return bool(self.image_hosts) or _is_loopback(self.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
