"""smolagents: an agent calls its tool, and ends with the final answer."""

from __future__ import annotations

import json
import os

from smolagents import OpenAIServerModel, Tool, ToolCallingAgent

asked = []


class Read(Tool):
    """The one tool of the agent."""

    name = "Read"
    description = "Reads a file."
    inputs = {"file_path": {"type": "string", "description": "Which."}}
    output_type = "string"

    def forward(self, file_path: str) -> str:
        """Return its text."""
        asked.append(file_path)
        return os.environ["RESULT"]


model = OpenAIServerModel(
    model_id="agent",
    api_base=os.environ["SERVER"] + "/v1",
    api_key="none",
    # Held to a call, so small a model makes up its arguments.
    tool_choice="auto",
)
agent = ToolCallingAgent(tools=[Read()], model=model, max_steps=2, verbosity_level=0)
answer = agent.run("Where is the key?")
print(json.dumps({"asked": asked, "answer": str(answer)}))
