"""The composing app: registers the project's system checks."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Settings, start-up and the server itself."""

    name = "mlxsite"
    verbose_name = "Site"

    def ready(self) -> None:
        """Register the checks."""
        from mlxsite import checks  # noqa: F401
