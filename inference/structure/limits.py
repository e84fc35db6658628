"""How much work one grammar may cause: limits of llguidance's, stacks, a pace.

The process that checks has less of everything than the workers that compile the
same grammar again, so what it lets pass is safe there.
"""

from __future__ import annotations

from functools import cache

from llguidance import LLParserLimits

from inference.core.limits import MIB

CHECK_STACK_BYTES = 4 * MIB
COMPILE_STACK_BYTES = 16 * MIB
# A step may take this long; what is over it adds up, until it is enough.
STEP_S = 0.010
DEBT_S = 0.25


@cache
def parser_limits() -> LLParserLimits:
    """Return llguidance's limits; a grammar over them fails, the process lives."""
    # Its words are for the row: without states and sources of the grammar.
    return LLParserLimits(
        initial_lexer_fuel=500_000,
        max_lexer_states=50_000,  # one or two KiB each
        verbose_errors=False,
    )


class Pace:
    """Watches how long the steps of one matcher take, in seconds of a processor."""

    def __init__(self) -> None:
        self._debt = 0.0

    def add(self, seconds: float) -> bool:
        """Count a step; whether they have taken too long by now."""
        self._debt = max(0.0, self._debt + seconds - STEP_S)
        return self._debt > DEBT_S
