"""What a request asks to be checked, and the verdict: between two processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import GrammarCheckError, InvalidRequestError
from inference.core.limits import MIB
from inference.core.requests import Grammar, GrammarKind, Tool, ToolUse

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB_BYTES_MAX = 4 * MIB
# What holds of a tool's arguments where its schema cannot be enforced.
ANY_ARGUMENTS: dict[str, Any] = {"type": "object"}


_CODES = {
    GrammarKind.JSON_SCHEMA: "invalid_schema",
    GrammarKind.REGEX: "invalid_regex",
    GrammarKind.LARK: "invalid_grammar",
}


class CheckJob(msgspec.Struct, frozen=True):
    """The grammar and the tools of one request; tools without descriptions."""

    grammar: Grammar | None
    tools: ToolUse | None

    @property
    def param(self) -> str:
        """The field to name where none is known better."""
        return "tools" if self.grammar is None else self.grammar.param


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The checker takes jobs."""


class Checking(msgspec.Struct, frozen=True, tag="checking"):
    """A part of the job that is begun."""

    param: str


class Verdict(msgspec.Struct, frozen=True, tag="verdict"):
    """What became of a job: refused with `message`, or taken.

    `given_up` are the places of tools whose schemas cannot be enforced and need not
    be. `is_spent`: the checker should not be given another job.
    """

    message: str = ""
    param: str = ""
    code: str = ""
    given_up: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    is_spent: bool = False

    def honour(self) -> None:
        """Go on where the job was taken.

        Raises:
            InvalidRequestError: it was refused.
            GrammarCheckError: it could not be checked.
        """
        if self.code == GrammarCheckError.code:
            raise GrammarCheckError(self.message, param=self.param)
        if self.message:
            raise InvalidRequestError(self.message, param=self.param, code=self.code)

    def apply(self, use: ToolUse) -> ToolUse:
        """Return the tools with what holds of each."""
        return enforced(use, self.given_up) if self.given_up else use


Report = Ready | Checking | Verdict


def to_job(grammar: Grammar | None, use: ToolUse | None) -> bytes:
    """Encode what is to be checked; equal bytes mean an equal verdict.

    Raises:
        InvalidRequestError: it, or a number in it, is too large to be checked.
    """
    if use is not None:
        bare = [msgspec.structs.replace(tool, description="") for tool in use.tools]
        use = msgspec.structs.replace(use, tools=tuple(bare))
    job = CheckJob(grammar, use)
    try:
        encoded = msgspec.msgpack.encode(job)
    except OverflowError:
        raise InvalidRequestError(
            "An integer is larger than 64 bits.", param=job.param, code="invalid_value"
        ) from None
    if len(encoded) > JOB_BYTES_MAX:
        raise InvalidRequestError(
            f"Invalid '{job.param}': all schemas together are larger than "
            f"{JOB_BYTES_MAX // MIB} MiB.",
            param=job.param,
            code="invalid_schema",
        )
    return encoded


def refusal_code(grammar: Grammar | None) -> str:
    """Return the code of a refusal; without a grammar it is of a tool's schema."""
    return "invalid_schema" if grammar is None else _CODES[grammar.kind]


def enforced(use: ToolUse, given_up: Sequence[int]) -> ToolUse:
    """Return the tools, those at the places `given_up` held to an object only."""
    tools: list[Tool] = list(use.tools)
    for at in given_up:
        tools[at] = msgspec.structs.replace(tools[at], enforced=ANY_ARGUMENTS)
    return msgspec.structs.replace(use, tools=tuple(tools))
