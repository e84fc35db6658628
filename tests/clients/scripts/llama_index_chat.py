"""llama-index: OpenAILike chats, streams, completes and calls."""

from __future__ import annotations

import json
import os

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    model="agent",
    api_base=os.environ["SERVER"] + "/v1",
    api_key="none",
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)
asked = []


def Read(file_path: str) -> str:  # noqa: N802 -- the tool's name
    """Reads a file."""
    asked.append(file_path)
    return os.environ["RESULT"]


tool = FunctionTool.from_defaults(Read)
turn = llm.chat_with_tools([tool], user_msg="Where is the key?")
(call,) = llm.get_tool_calls_from_response(turn)
tool.call(**call.tool_kwargs)
hello = [ChatMessage(role="user", content="Where is the key?")]
bare = OpenAILike(
    model="agent", api_base=os.environ["SERVER"] + "/v1", api_key="none", max_tokens=4
)
print(
    json.dumps(
        {
            "asked": asked,
            "chat": llm.chat(hello).message.content,
            "streamed": "".join(piece.delta or "" for piece in llm.stream_chat(hello)),
            "completed": bool(bare.complete("Where").text),
        }
    )
)
