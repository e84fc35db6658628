"""OpenAI's SDK for Python: each endpoint it knows, as whole answers and as streams."""

from __future__ import annotations

import json
import os
from typing import Literal

import openai
from pydantic import BaseModel

MODEL, MESSAGE = "agent", {"role": "user", "content": "Where is the key?"}
TOOL, RESULT = json.loads(os.environ["TOOL"]), os.environ["RESULT"]
client = openai.OpenAI(
    base_url=f"{os.environ['SERVER']}/v1", api_key="none", max_retries=0
)


class Place(BaseModel):
    place: Literal["mat"]


def refused(call, **options):
    """Return the class and the code of the error that a call ends with."""
    try:
        call(**options)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code]
    return None


def chat():
    tools = [{"type": "function", "function": TOOL}]
    asked = {"model": MODEL, "tools": tools}
    turn = (
        client.chat.completions.create(messages=[MESSAGE], **asked).choices[0].message
    )
    (call,) = turn.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    answer = client.chat.completions.create(messages=[MESSAGE, turn, result], **asked)
    with client.chat.completions.stream(messages=[MESSAGE], **asked) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    parsed = client.chat.completions.parse(
        model=MODEL, messages=[MESSAGE], response_format=Place, max_tokens=60
    ).choices[0]
    return {
        "called": [call.function.name, json.loads(call.function.arguments)],
        "answer": answer.choices[0].message.content,
        "streamed": [streamed.function.name, json.loads(streamed.function.arguments)],
        "parsed": parsed.message.parsed == Place(place="mat"),
        "refused": refused(
            client.chat.completions.create, model="nobody", messages=[MESSAGE]
        ),
    }


def responses():
    asked = {"model": MODEL, "tools": [{"type": "function", **TOOL, "strict": False}]}
    first = client.responses.create(input=[MESSAGE], **asked)
    (call,) = (item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    second = client.responses.create(
        input=[result], previous_response_id=first.id, **asked
    )
    with client.responses.stream(input=[MESSAGE], **asked) as stream:
        kinds = {event.type for event in stream}
        streamed = stream.get_final_response().output[-1]
    kept = client.responses.retrieve(second.id)
    client.responses.delete(second.id)
    return {
        "called": [call.name, json.loads(call.arguments)],
        "answer": second.output_text,
        "streamed": [streamed.name, json.loads(streamed.arguments)],
        "ended": "response.completed" in kinds,
        "kept": kept.output_text,
        "refused": refused(client.responses.retrieve, response_id=second.id),
    }


def embeddings():
    there = openai.OpenAI(base_url=f"{os.environ['EMBEDDER']}/v1", api_key="none")
    model = there.models.list().data[0].id
    found = there.embeddings.create(model=model, input=["a cat", "a kitten"])
    return {
        "sizes": [len(each.embedding) for each in found.data],
        "refused": refused(
            there.embeddings.create, model=model, input="a cat", dimensions=3
        ),
    }


def others():
    completion = client.completions.create(model=MODEL, prompt="Where", max_tokens=4)
    return {
        "completion": type(completion.choices[0].text).__name__,
        "listed": [each.id for each in client.models.list()],
    }


told = {
    "chat": chat(),
    "responses": responses(),
    "embeddings": embeddings(),
    "others": others(),
}
print(json.dumps(told))
