"""How many files this process may have open: a connection is one of them."""

from __future__ import annotations

import contextlib
import resource

from mlxsite.startup.errors import StartupError

# Below this not even the database, the workers and a few clients have room.
LEAST = 256
# What is no connection: database, spool, workers and their pipes, images.
OWN = 256
# More would only cost: some libraries walk through all that are allowed.
PLENTY = 65_536
# What macOS allows where its hard limit says "unlimited".
OPEN_MAX = 10_240


def raise_descriptor_limit(connections_per_client: int) -> str:
    """Raise the soft limit; return what is short of it in words, or "".

    Raises:
        StartupError: the hard limit is too small to serve anybody.
    """
    allowed = _raised()
    if allowed < LEAST:
        raise StartupError(
            f"this process may have {allowed} files open and needs {LEAST} at least: "
            "raise the hard limit (ulimit -Hn, LimitNOFILE)"
        )
    # Two clients that hold all they may must leave a place to a third.
    if allowed - OWN > 2 * connections_per_client:
        return ""
    return (
        f"{allowed} files may be open (ulimit -Hn), which leaves places for about "
        f"{max(0, allowed - OWN)} connections, and one address may hold "
        f"{connections_per_client}: raise the limit, or lower CONNECTIONS_PER_CLIENT"
    )


def _raised() -> int:
    """Return the soft limit, raised as far as it makes sense."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return PLENTY
    highest = PLENTY if hard == resource.RLIM_INFINITY else min(hard, PLENTY)
    for target in (highest, min(highest, OPEN_MAX)):
        if soft >= target:
            break
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            return target
    return soft
