"""`python -m mlxsite` is `mlx-server`."""

from __future__ import annotations

import sys

from mlxsite.cli import main

if __name__ == "__main__":
    sys.exit(main())
