"""How families of models mark thinking and write calls: one small file per way.

`registry` lists them, `recognition` finds a model's, `answers` reads an answer.
"""

from __future__ import annotations
