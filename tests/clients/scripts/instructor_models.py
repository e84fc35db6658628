"""instructor: an object of a class, in each of its modes that the server can hold."""

from __future__ import annotations

import json
import os
from typing import Literal

import instructor
import openai
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: Literal["Paris", "Rome"]
    river: Literal["Seine", "Tiber"]


client = openai.OpenAI(base_url=os.environ["SERVER"] + "/v1", api_key="none")
told = {}
for mode in (
    instructor.Mode.TOOLS,
    instructor.Mode.JSON_SCHEMA,
    instructor.Mode.JSON,
    instructor.Mode.MD_JSON,
):
    if mode.name not in os.environ["MODES"].split():
        continue
    city = instructor.from_openai(client, mode=mode).chat.completions.create(
        model=os.environ["MODEL"],
        response_model=City,
        max_retries=0,
        max_tokens=200,
        temperature=0,
        messages=[{"role": "user", "content": "Tell me of the capital of France."}],
    )
    told[mode.name] = type(city).__name__
print(json.dumps(told))
