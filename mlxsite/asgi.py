"""The ASGI application: the API and the site to Django, WebSockets to Channels."""

from __future__ import annotations

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlxsite.settings")

# Django must be set up before anything that imports models.
django.setup(set_prefix=False)

import inference.routing  # noqa: E402
import metrics.routing  # noqa: E402
from mlxsite.cross_origin import CrossOrigin  # noqa: E402
from mlxsite.handlers import ApiHandler, ByPath, HostGuard, StaticFiles  # noqa: E402

application = HostGuard(
    CrossOrigin(
        ProtocolTypeRouter(
            {
                "http": ByPath(api=ApiHandler(), site=StaticFiles(ASGIHandler())),
                # What is left is refused by the last pattern of `inference.routing`.
                "websocket": URLRouter(
                    [
                        *metrics.routing.websocket_urlpatterns,
                        *inference.routing.websocket_urlpatterns,
                    ]
                ),
            }
        )
    )
)
