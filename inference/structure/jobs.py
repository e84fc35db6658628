"""What a request asks to be checked, and the verdict: between two processes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from inference.core.errors import GrammarCheckError, InvalidRequestError
from inference.core.limits import MIB
from inference.core.requests import Grammar, GrammarKind, Tool, ToolUse

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB_BYTES_MAX = 4 * MIB
# What holds of a tool's arguments where its schema cannot be enforced.
ANY_ARGUMENTS: dict[str, Any] = {"type": "object"}


_CODES = {
    GrammarKind.JSON_SCHEMA: "invalid_schema",
    GrammarKind.REGEX: "invalid_regex",
    GrammarKind.LARK: "invalid_grammar",
}


class CheckJob(msgspec.Struct, frozen=True, tag="check"):
    """The grammar and the tools of one request; tools without descriptions."""

    grammar: Grammar | None
    tools: ToolUse | None

    @property
    def param(self) -> str:
        """The field to name where none is known better."""
        return "tools" if self.grammar is None else self.grammar.param


class FitJob(msgspec.Struct, frozen=True, tag="fit"):
    """Answers with the places of their schemas; all of it is JSON text."""

    schemas: tuple[str, ...]
    answers: tuple[tuple[int, str], ...]


class Fitting(StrEnum):
    """Whether an answer fits its schema, as the header says it."""

    FITS = "fits"
    MISFITS = "does-not-fit"
    UNCHECKED = "not-checked"


class Fit(msgspec.Struct, frozen=True, tag="fit"):
    """Whether answers fit their schemas, and why not."""

    fitting: Fitting
    why: str = ""


Job = CheckJob | FitJob


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The checker takes jobs."""


class Checking(msgspec.Struct, frozen=True, tag="checking"):
    """A part of the job that is begun."""

    param: str


class Verdict(msgspec.Struct, frozen=True, tag="verdict"):
    """What became of a job: refused with `message`, or taken.

    `grammar` is the schema that holds instead of one that cannot, as JSON text;
    `held` are such schemas of tools, by their places. `is_spent`: the checker should
    not be given another job. `is_large`: it is not to be kept.
    """

    message: str = ""
    param: str = ""
    code: str = ""
    grammar: str = ""
    held: dict[int, dict[str, Any]] = {}
    warnings: tuple[str, ...] = ()
    is_spent: bool = False
    is_large: bool = False

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
        return enforced(use, self.held) if self.held else use


Report = Ready | Checking | Verdict | Fit


def to_job(grammar: Grammar | None, use: ToolUse | None) -> bytes:
    """Encode what is to be checked; equal bytes mean an equal verdict.

    Raises:
        InvalidRequestError: it, or a number in it, is too large to be checked.
    """
    if use is not None:
        bare = [
            msgspec.structs.replace(tool, description="", sent_name="")
            for tool in use.tools
        ]
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


def enforced(use: ToolUse, held: Mapping[int, dict[str, Any]]) -> ToolUse:
    """Return the tools, those at the places in `held` held to these schemas."""
    tools: list[Tool] = list(use.tools)
    for at, schema in held.items():
        tools[at] = msgspec.structs.replace(tools[at], enforced=schema)
    return msgspec.structs.replace(use, tools=tuple(tools))


def to_fit_job(job: FitJob) -> bytes | None:
    """Encode answers to be checked; `None`: they are too large for it."""
    size = sum(map(len, job.schemas)) + sum(len(text) for _, text in job.answers)
    return None if size > JOB_BYTES_MAX // 4 else msgspec.msgpack.encode(job)
