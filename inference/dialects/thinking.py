"""The pairs of texts that models think between, and how a model's are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.dialects.dialect import Dialect, ThinkingTags

if TYPE_CHECKING:
    from inference.dialects.clues import Clues

USUAL = ThinkingTags("<think>", "</think>")
# Those known first are the usual ones of a model that shows several.
_PAIRS = (
    ThinkingTags("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ThinkingTags("<seed:think>", "</seed:think>"),
    ThinkingTags("<mm:think>", "</mm:think>"),
    ThinkingTags("<think:opensource>", "</think:opensource>"),
    ThinkingTags("<longcat_think>", "</longcat_think>"),
    ThinkingTags("<|think:start|>", "<|think:end|>"),
    ThinkingTags("[THINK]", "[/THINK]"),
    ThinkingTags("<|START_THINKING|>", "<|END_THINKING|>"),
    ThinkingTags("<|inner_prefix|>", "<|inner_suffix|>"),
    ThinkingTags("<|channel>thought", "<channel|>"),
    USUAL,
    ThinkingTags("<thinking>", "</thinking>"),
)
# Solar's messages end as its thinking does; Apriel's headings are prose.
_SOLAR = ThinkingTags("<|think|>", "<|end|>")
_APRIEL = ThinkingTags("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]")
# Tags that templates put together: what shows that they do.
_MADE = {
    "<|open|>think<|sep|>": ("<|open|>", "<|close|>", "<|sep|>"),
    "<think:opensource>": ("<think{}>", ":opensource"),
    "<|channel>thought": ("<|channel>", "<channel|>"),
}


def tags_of(clues: Clues) -> tuple[ThinkingTags, ...]:
    """Return the pairs that a model may think between, its usual one first."""
    found = [tags for tags in _PAIRS if _shows(clues, tags)]
    if clues.writes("<|think|>", "<|end|>", "<|begin|>"):
        found.insert(0, _SOLAR)
    if clues.writes(_APRIEL.end):
        found.insert(0, _APRIEL)
    return tuple(found)


def thinking_as(*tags: ThinkingTags) -> Dialect:
    """Return a dialect that thinks between these and calls nothing."""
    return Dialect(name="thinking", thinking=tags)


def _shows(clues: Clues, tags: ThinkingTags) -> bool:
    made = _MADE.get(tags.start)
    if made is not None and (clues.writes(*made) or all(map(clues.has_token, made))):
        return True
    if clues.has_token(tags.start) and clues.has_token(tags.end):
        return True
    # Some templates write only the end: they open the thinking for the model.
    return clues.writes(tags.end) and (
        clues.writes(tags.start) or tags is not USUAL or clues.has_token(tags.start)
    )
