"""`python -m tests.has_postgres`: 0 where a PostgreSQL server answers, or has to."""

from __future__ import annotations

import os
import sys

from tests.what_is_here import missing_postgres

if __name__ == "__main__":
    sys.exit(1 if missing_postgres() and not os.environ.get("CI") else 0)
