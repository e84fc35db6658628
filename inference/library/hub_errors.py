"""What goes wrong with a hub, in one line that says what to do about it."""

from __future__ import annotations

import errno
import json

import httpx2
from huggingface_hub import constants, errors

# What reading somebody else's answer ends in.
NO_HUB = (json.JSONDecodeError, KeyError, TypeError, AttributeError)
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}
WORDS_LIMIT = 300


class UnfetchableError(ValueError):
    """What the hub has under this name cannot be had; the message says why."""


def explain(error: Exception, repo_id: str) -> str:
    """Return one line for a user about a download that failed."""
    if isinstance(error, UnfetchableError):
        return str(error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{repo_id} is not on this machine, and HF_HUB_OFFLINE forbids downloads"
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_answer(error, repo_id)
    if isinstance(error, httpx2.TransportError | errors.LocalEntryNotFoundError):
        return f"{repo_id} cannot be fetched: no hub in reach at {constants.ENDPOINT}"
    if isinstance(error, OSError) and error.errno in NO_ROOM | NO_ACCESS:
        return _explain_disk(error, repo_id)
    if isinstance(error, NO_HUB):
        return f"{repo_id} cannot be fetched: {constants.ENDPOINT} is no hub"
    return f"{repo_id} cannot be fetched: {_first_line(str(error)) or type(error).__name__}"


def _explain_answer(error: errors.HfHubHTTPError, repo_id: str) -> str:
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{repo_id} is gated: its owner gives access on request; ask on its page, "
            "then set HF_TOKEN or log in with `hf auth login`"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo_id} has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"no model {repo_id}: the hub does not know it, or it is private "
            "(then set HF_TOKEN)"
        )
    status = error.response.status_code
    if status == httpx2.codes.UNAUTHORIZED:
        return f"{repo_id} cannot be fetched: the hub does not accept the token in use"
    said = _first_line(error.server_message or "")
    words = f"{repo_id} cannot be fetched: the hub at {constants.ENDPOINT} answered {status}"
    return f"{words} ({said})" if said else words


def _explain_disk(error: OSError, repo_id: str) -> str:
    place = constants.HF_HUB_CACHE
    if error.errno in NO_ROOM:
        return (
            f"{repo_id} is not complete: the disk of {place} is full; "
            "what was fetched stays"
        )
    return f"{repo_id} cannot be fetched: {place} cannot be written to"


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= WORDS_LIMIT else f"{line[:WORDS_LIMIT]}..."
