"""The metrics app."""

from __future__ import annotations

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """The record of every request."""

    name = "metrics"
    verbose_name = "Metrics"
    default_auto_field = "django.db.models.BigAutoField"
