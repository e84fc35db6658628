#!/usr/bin/env python
"""Django's command line for this project; `mlx-server` offers the same commands."""

from __future__ import annotations

import sys

from mlxsite.cli import manage

if __name__ == "__main__":
    sys.exit(manage(sys.argv))
