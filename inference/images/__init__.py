"""Images of a request: where they come from, whether they may, what they are.

Pure: no Django, no MLX. `loader` is the web process's door, `decoding` the worker's.
"""

from __future__ import annotations
