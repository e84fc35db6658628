"""The WebSocket of the live dashboard."""

from __future__ import annotations

from django.urls import path

from metrics.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/live", LiveConsumer.as_asgi())]
