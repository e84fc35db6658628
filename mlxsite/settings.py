"""Django settings: every value from the environment, with a default that runs.

The README's table of settings follows this file and `mlxsite.options`.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from inference.core.limits import DEFAULT_LIMITS, MIB
from inference.library import openblas
from mlxsite.data_dir import default_data_dir, load_secret_key, prepare_data_dir
from mlxsite.databases import default_database, with_options
from mlxsite.environment import Environment
from mlxsite.logs import LEVELS, logging_config
from mlxsite.options import MODEL_TYPES, cors_origins, image_hosts, trusted_proxies

PACKAGE_DIR = Path(__file__).resolve().parent
BASE_DIR = PACKAGE_DIR.parent
IS_CHECKOUT = (BASE_DIR / "manage.py").exists()

env = Environment(
    Path(os.environ.get("MLX_ENV_FILE") or BASE_DIR / ".env") if IS_CHECKOUT else None
)

# --- the server ---------------------------------------------------------------
MLX_DATA_DIR = prepare_data_dir(
    Path(env.text("MLX_DATA_DIR", str(default_data_dir()))).expanduser().absolute()
)
MLX_MODEL = env.text("MODEL")
MLX_MODEL_TYPE = env.choice("MODEL_TYPE", MODEL_TYPES)
MLX_HOST = env.text("HOST", "127.0.0.1")
MLX_PORT = env.whole("PORT")
MLX_MAX_CONCURRENCY = env.whole("MAX_CONCURRENCY")
MLX_QUEUE_SIZE = env.whole("QUEUE_SIZE")
MLX_QUEUE_TIMEOUT_S = env.seconds("QUEUE_TIMEOUT")
MLX_REQUEST_TIMEOUT_S = env.seconds("REQUEST_TIMEOUT")  # 0: no limit
MLX_DRAIN_TIMEOUT_S = env.seconds("DRAIN_TIMEOUT")
MLX_READ_DEADLINE_S = env.seconds("READ_DEADLINE")
MLX_STALL_TIMEOUT_S = env.seconds("STALL_TIMEOUT")
MLX_CONNECTIONS_PER_CLIENT = env.whole("CONNECTIONS_PER_CLIENT")
# Addresses and networks whose X-Forwarded-For says who asks.
MLX_TRUSTED_PROXIES = trusted_proxies(env.listed("TRUSTED_PROXIES"))
MLX_HANG_TIMEOUT_S = env.seconds("HANG_TIMEOUT")
MLX_SSE_KEEPALIVE_AFTER_S = env.seconds("SSE_KEEPALIVE_AFTER_S")
MLX_DEFAULT_MAX_TOKENS = env.whole("DEFAULT_MAX_TOKENS")
MLX_ANY_MODEL_NAME = env.flag("ANY_MODEL_NAME")
# Which model answers for claude-* names; `default`: that of requests that name none.
MLX_ANTHROPIC_MODEL = env.text("ANTHROPIC_MODEL")
MLX_STRICT_PARAMS = env.flag("STRICT_PARAMS")
MLX_API_KEY = env.secret("MLX_API_KEY")
MLX_METRICS_KEY = env.secret("METRICS_KEY")  # of /metrics, where it has its own
MLX_METRICS_OLD_NAMES = env.flag("METRICS_OLD_NAMES", default=True)
MLX_ALLOW_NO_AUTH = env.flag("ALLOW_NO_AUTH")
# Whose pages and apps may call the API from a browser.
MLX_CORS_ORIGINS = cors_origins(env.listed("CORS_ORIGINS"))
MLX_OPENBLAS = env.choice("MLX_OPENBLAS", ("", *openblas.CHOICES)) or openblas.AUTO
MLX_NODE_NAME = env.text("NODE_NAME", socket.gethostname())
MLX_HTTPS = env.flag("MLX_HTTPS")

# --- several models -----------------------------------------------------------
# Each a folder or a hub id, or `key=` and one of them; loaded in this order.
MLX_DEFAULT_MODELS = env.listed("DEFAULT_MODELS")
MLX_MODEL_DIRS = [Path(name).expanduser() for name in env.listed("MODEL_DIRS")]
MLX_MODELS_FILE = Path(
    env.text("MODELS_FILE", str(MLX_DATA_DIR / "models.toml"))
).expanduser()
MLX_ALLOW_ON_DEMAND = env.flag("ALLOW_ON_DEMAND", default=True)
# Unset: only where no other machine can ask for it.
MLX_ALLOW_DOWNLOAD = env.choice("ALLOW_DOWNLOAD", ("", "true", "false", "1", "0"))
MLX_PROMPT_CACHE = env.size("PROMPT_CACHE")  # bytes a model; negative: by the budget
MLX_MEMORY_BUDGET = env.size("MEMORY_BUDGET")  # bytes; 0: what this machine can spare
MLX_MODEL_TTL_S = env.seconds("MODEL_TTL")  # 0: for ever
MLX_QUARANTINE_AFTER = env.whole("QUARANTINE_AFTER")
MLX_SPARE_WORKER = env.flag("SPARE_WORKER", default=True)

# --- images -------------------------------------------------------------------
# Unset: fetched where only this machine can ask for it, or IMAGE_HOSTS says from
# where.
MLX_IMAGE_URLS = env.choice("IMAGE_URLS", ("", "true", "false", "1", "0"))
MLX_IMAGE_HOSTS = image_hosts(env.listed("IMAGE_HOSTS"))
MLX_IMAGE_TIMEOUT_S = env.seconds("IMAGE_TIMEOUT")
MLX_IMAGE_PIXELS = env.whole("IMAGE_PIXELS")

# --- the record ---------------------------------------------------------------
# How many days of it are kept: rows, sums of minutes, hours and days; 0: for ever.
MLX_RETENTION_DAYS = env.whole("RETENTION_DAYS")
MLX_MINUTE_RETENTION_DAYS = env.whole("MINUTE_RETENTION_DAYS")
MLX_HOUR_RETENTION_DAYS = env.whole("HOUR_RETENTION_DAYS")
MLX_DAY_RETENTION_DAYS = env.whole("DAY_RETENTION_DAYS")
MLX_RECORD_BODIES = env.flag("RECORD_BODIES")
MLX_BODY_RETENTION_DAYS = env.whole("BODY_RETENTION_DAYS")
MLX_BODY_REDACTOR = env.text("BODY_REDACTOR")  # package.module.function

# --- stored responses ---------------------------------------------------------
MLX_RESPONSES_RETENTION_S = env.seconds("RESPONSES_RETENTION")  # 0: none are stored
MLX_RESPONSES_MAX_BYTES = env.size("RESPONSES_MAX_BYTES")

# --- security -----------------------------------------------------------------
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.secret("SECRET_KEY") or load_secret_key(MLX_DATA_DIR / "secret_key")
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    ".localhost",
    *env.listed("ALLOWED_HOSTS"),
]
CSRF_TRUSTED_ORIGINS = env.listed("CSRF_TRUSTED_ORIGINS")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = MLX_HTTPS
SESSION_COOKIE_SECURE = MLX_HTTPS
CSRF_COOKIE_SECURE = MLX_HTTPS
if MLX_HTTPS:
    SECURE_HSTS_SECONDS = 30 * 86_400
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # Subdomains and the preload list are the domain owner's decision.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
else:
    # These ask for HTTPS, which a server on loopback does not speak.
    SILENCED_SYSTEM_CHECKS = [f"security.W{n:03}" for n in (4, 8, 12, 16)]
DATA_UPLOAD_MAX_MEMORY_SIZE = DEFAULT_LIMITS.body_bytes + MIB

# --- Django -------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "channels",
    "inference.apps.InferenceConfig",
    "metrics.apps.MetricsConfig",
    "mlxsite.apps.SiteConfig",
]
# For the site. The API is answered without any of these: `mlxsite.handlers`.
MIDDLEWARE = [
    "mlxsite.content_security.content_security",
    "mlxsite.own_pages.own_pages",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "mlxsite.urls"
ASGI_APPLICATION = "mlxsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # An installed copy carries the top-level folder inside the package.
        "DIRS": [BASE_DIR / "templates" if IS_CHECKOUT else PACKAGE_DIR / "_templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": with_options(
        env.database("DATABASE_URL") or default_database(MLX_DATA_DIR / "db.sqlite3")
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_layer_url = env.secret("CHANNEL_LAYER_URL")
CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [_layer_url]},
        }
        if _layer_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    ),
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "metrics.api.openapi.ReadSchema",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Served by ASGIStaticFilesHandler from where they lie: nothing to collect.
STATIC_URL = "/static/"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
LOGGING = logging_config(env.choice("LOG_LEVEL", ("", *LEVELS)) or "INFO")
