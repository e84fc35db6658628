"""Whether an answer fits a schema that no grammar could hold it to.

Runs in the process that may die of it: a pattern may take all time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry

from inference.structure.jobs import Fit, Fitting

if TYPE_CHECKING:
    from inference.structure.jobs import FitJob

_WHERE_CHARS = 100


def judge_fit(job: FitJob) -> Fit:
    """Return whether all answers fit their schemas; why not, in the schema's words."""
    try:
        for place, answer in job.answers:
            if why := _misfit(_validator(job.schemas[place]), answer):
                return Fit(Fitting.MISFITS, why)
    except Exception as error:  # noqa: BLE001 -- a schema may be wrong in any way
        return Fit(Fitting.UNCHECKED, type(error).__name__)
    return Fit(Fitting.FITS)


def _validator(source: str) -> Any:
    schema = json.loads(source)
    kind = validator_for(schema, default=Draft202012Validator)
    # A registry of its own: without one a reference would be fetched.
    return kind(schema, registry=Registry())


def _misfit(validator: Any, answer: str) -> str:
    try:
        value = json.loads(answer)
    except ValueError:
        return "no JSON"
    error = next(validator.iter_errors(value), None)
    # Not its message: that repeats the answer.
    return (
        "" if error is None else "/".join(map(str, error.schema_path))[-_WHERE_CHARS:]
    )
