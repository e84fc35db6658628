"""Log-probabilities in step with the text: each token's bytes, once they show."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from inference.core.requests import TokenAlternative, TokenLogprob
from inference.engine.sampling.logprobs import likelihood_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

# JSON has no minus infinity; a forbidden token has no chance at all.
_LEAST = -9999.0
_REPLACEMENT = "\ufffd".encode()


class TokenSpelling:
    """Hands out a token's entry when the text that it spells is shown.

    Text is shown later than its tokens come (characters of several tokens, stop
    strings), and not all of it (a stop string's own, blanks before a call). The
    bytes of the entries handed out always join to the text shown, also where
    bytes that are no character show as U+FFFD.
    """

    def __init__(self, bytes_of: Callable[[int], bytes], *, top: int) -> None:
        self._bytes_of = bytes_of
        self._top = top
        self._waiting: deque[TokenLogprob] = deque()
        self._shown = b""

    def add(self, token: int, logits: np.ndarray) -> None:
        """Take a token and the logits it was chosen from."""
        likelihood = likelihood_of(token, logits, top=self._top)
        self._waiting.append(
            TokenLogprob(
                token=self._bytes_of(token),
                logprob=max(likelihood.logprob, _LEAST),
                top=tuple(
                    TokenAlternative(self._bytes_of(other), max(logprob, _LEAST))
                    for other, logprob in likelihood.top
                ),
            )
        )

    def covered_by(
        self, text: str, *, is_last: bool = False
    ) -> tuple[TokenLogprob, ...]:
        """Return the entries that `text`, shown next, completes."""
        self._shown += text.encode()
        covered = []
        while self._shown and self._waiting:
            entry = self._waiting[0]
            spelled = self._spelled(entry.token, is_last=is_last)
            if spelled is None:
                break
            self._waiting.popleft()
            if spelled:
                self._shown = self._shown[len(spelled) :]
                covered.append(_respelled(entry, spelled))
        if not self._waiting:
            # Nothing that is still to come could spell what is left.
            self._shown = b""
        return tuple(covered)

    def _spelled(self, token: bytes, *, is_last: bool) -> bytes | None:
        """Return how much of a token shows: `b""` nothing, `None` not known yet."""
        if self._shown.startswith(token):
            return token
        replaced = token.decode(errors="replace").encode()
        if replaced != token and self._shown.startswith(_REPLACEMENT):
            # Bytes that are no character show as a sign that one is missing.
            return replaced if self._shown.startswith(replaced) else _REPLACEMENT
        skipped = len(self._shown) - len(self._shown.lstrip(_REPLACEMENT))
        if skipped and self._shown.startswith(token, skipped):
            return self._shown[: skipped + len(token)]
        if token.startswith(self._shown):
            # Its rest is to come, or was cut off.
            return self._shown if is_last else None
        # Blanks at the edges of an answer are not always shown.
        stripped = token.lstrip()
        if stripped and self._shown.startswith(stripped):
            return stripped
        if stripped and stripped.startswith(self._shown):
            return self._shown if is_last else None
        return b""


def _respelled(entry: TokenLogprob, token: bytes) -> TokenLogprob:
    if token == entry.token:
        return entry
    return TokenLogprob(token=token, logprob=entry.logprob, top=entry.top)
