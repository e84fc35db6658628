"""`mlx-server admin`: how to log in, and a new password on request."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from inference.conf import ServerConfig
from mlxsite.cli import WRONG_USAGE
from mlxsite.startup.admin_user import ADMIN_NAME, ensure_admin, reset_admin
from mlxsite.startup.database import ensure_database
from mlxsite.startup.errors import StartupError
from mlxsite.startup.network import base_url


class Command(BaseCommand):
    """Shows where the admin is; `--reset` sets a new password."""

    help = "Show how to log in to the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare `--reset`."""
        parser.add_argument(
            "--reset",
            action="store_true",
            help=f"give the staff user {ADMIN_NAME} a new password and print it",
        )

    def handle(self, *args: Any, reset: bool, **options: Any) -> None:
        """Print the address, and the password if there is a new one."""
        config = ServerConfig.from_settings()
        try:
            ensure_database(config.data_dir)
        except StartupError as error:
            self.stderr.write(f"error: {error}")
            sys.exit(WRONG_USAGE)
        password = reset_admin() if reset else ensure_admin()
        self.stdout.write(f"Data folder: {config.data_dir}")
        url = base_url(config.host, config.port)
        self.stdout.write(f"Admin: {url}/admin/ (or the port you start with)")
        if password is None:
            self.stdout.write("Password forgotten? mlx-server admin --reset")
        else:
            self.stdout.write(f"User: {ADMIN_NAME}\nPassword: {password}")
