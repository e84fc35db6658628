"""A tiny real model that an agent can work with, however long its prompts are.

Where nothing has come back from a tool since its last turn, it makes one call; else it
answers. Its template says with the last token of a prompt which of the two it is to be.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.families.scripted import END, Scripted, dress, write_weights

if TYPE_CHECKING:
    from pathlib import Path

# Agents send prompts of tens of thousands of tokens.
POSITIONS = 65_536
ASKED, RETURNED = "<|asked|>", "<|returned|>"
TEMPLATE = """\
{%- if tools %}<|im_start|>system
# Tools
<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
Call one so:
<tool_call>
{"name": <name>, "arguments": <arguments>}
</tool_call><|im_end|>
{% endif %}
{%- set now = namespace(returned=false) %}
{%- for message in messages %}
{%- set now.returned = message.role == 'tool'
    or (now.returned and message.role != 'assistant') %}<|im_start|>{{ message.role }}
{{ message.content }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{{ '<|asked|>' if tools and not now.returned else '<|returned|>' }}{% endif %}"""


def write_agent(
    folder: Path, *, tool: str, arguments: dict[str, Any], answer: str
) -> Scripted:
    """Write a model that calls `tool` when it is asked, and answers what came back."""
    called = json.dumps({"name": tool, "arguments": arguments})
    # Each is one token, so that the latest alone decides what follows.
    call = f"<tool_call>\n{called}\n</tool_call>"
    dress(folder, TEMPLATE, [ASKED, RETURNED, call, answer, END])
    made = Scripted(folder, {})
    end = made.token(END)
    chain = [
        *(made.token(ASKED), made.token(call), end),
        *(made.token(RETURNED), made.token(answer), end),
    ]
    write_weights(folder, made.tokenizer, {}, end=end, chain=chain, positions=POSITIONS)
    return made
