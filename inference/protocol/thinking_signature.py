"""What stands as the signature of a block of thinking: an opaque text of ours.

Where a client does not want to see the thinking, its signature holds it, so that it
can go back to the model with the next request all the same.
"""

from __future__ import annotations

import base64
import binascii

_MARK = "mlx1."


def signature_of(hidden: str = "") -> str:
    """Return a signature that holds the thinking that is not shown."""
    return _MARK + base64.b64encode(hidden.encode()).decode()


def hidden_thinking(signature: str) -> str:
    """Return the thinking that a signature holds; of others', nothing."""
    if not signature.startswith(_MARK):
        return ""
    try:
        return base64.b64decode(signature[len(_MARK) :], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
