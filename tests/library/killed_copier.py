"""Makes the copy of OpenBLAS and says where it stands: `python -m ... FOLDER`.

Stops before the last step, for the test that kills it there.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from inference.library import openblas


def main() -> None:
    """Say "half" with the copy written and not yet named, and wait to be killed."""

    def wait(library: Path) -> None:
        sys.stdout.write("half\n")
        sys.stdout.flush()
        signal.pause()

    openblas.try_out = wait
    openblas.provide_openblas(openblas.BUNDLED, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
