"""litellm: a call, its result, the answer; a stream with its usage; an error."""

from __future__ import annotations

import json
import os

import litellm

API = {"api_base": os.environ["SERVER"] + "/v1", "api_key": "none", "num_retries": 0}
MODEL = "openai/agent"
TOOLS = [{"type": "function", "function": json.loads(os.environ["TOOL"])}]

messages: list = [{"role": "user", "content": "Where is the key?"}]
first = litellm.completion(model=MODEL, messages=messages, tools=TOOLS, **API)
turn = first.choices[0].message
call = turn.tool_calls[0]
messages += [
    turn.model_dump(exclude_none=True),
    {"role": "tool", "tool_call_id": call.id, "content": os.environ["RESULT"]},
]
second = litellm.completion(model=MODEL, messages=messages, tools=TOOLS, **API)
chunks = list(
    litellm.completion(
        model=MODEL,
        messages=messages[:1],
        tools=TOOLS,
        stream=True,
        stream_options={"include_usage": True},
        **API,
    )
)
whole = litellm.stream_chunk_builder(chunks)
streamed = whole.choices[0].message.tool_calls[0].function
try:
    litellm.completion(model="openai/nobody", messages=messages, **API)
except litellm.NotFoundError as error:
    refused = error.status_code
print(
    json.dumps(
        {
            "called": [call.function.name, json.loads(call.function.arguments)],
            "answer": second.choices[0].message.content,
            "streamed": [streamed.name, json.loads(streamed.arguments)],
            "counted": whole.usage.prompt_tokens == first.usage.prompt_tokens,
            "refused": refused,
        }
    )
)
