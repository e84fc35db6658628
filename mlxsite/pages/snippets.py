"""Programs to paste: one question by curl, Python, JavaScript and in the terminal."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

QUESTION = "Hello! Who are you?"
# Stands for the model where there is none, or none that may be named.
NO_MODEL = "MODEL"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program under its tab; `needs` is what to install first."""

    name: str
    label: str
    text: str
    needs: str = ""


def snippets_for(base_url: str, *, model: str, needs_key: bool) -> tuple[Snippet, ...]:
    """Return programs that ask `model` at `base_url`; a key comes from the environment."""
    name = model or NO_MODEL
    return (
        Snippet("curl", "curl", _curl(base_url, name, needs_key=needs_key)),
        Snippet(
            "python",
            "Python",
            _python(base_url, name, needs_key=needs_key),
            needs="pip install openai",
        ),
        Snippet(
            "javascript",
            "JavaScript",
            _javascript(base_url, name, needs_key=needs_key),
            needs="npm install openai",
        ),
        Snippet("terminal", "Terminal", _terminal(base_url, name, needs_key=needs_key)),
    )


def _curl(base_url: str, model: str, *, needs_key: bool) -> str:
    question = [{"role": "user", "content": QUESTION}]
    body = f'{{"model": {_text(model)},\n       "messages": {json.dumps(question)}}}'
    key = '  -H "Authorization: Bearer $MLX_API_KEY" \\\n' if needs_key else ""
    return (
        f"curl {base_url}/chat/completions \\\n{key}"
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )


def _python(base_url: str, model: str, *, needs_key: bool) -> str:
    imports = "import os\n\nfrom" if needs_key else "from"
    key = 'os.environ["MLX_API_KEY"]' if needs_key else '"any"'
    return f"""{imports} openai import OpenAI

client = OpenAI(base_url={_text(base_url)}, api_key={key})
stream = client.chat.completions.create(
    model={_text(model)},
    messages=[{{"role": "user", "content": {_text(QUESTION)}}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)"""


def _javascript(base_url: str, model: str, *, needs_key: bool) -> str:
    key = "process.env.MLX_API_KEY" if needs_key else '"any"'
    return f"""import OpenAI from "openai";

const client = new OpenAI({{ baseURL: {_text(base_url)}, apiKey: {key} }});
const stream = await client.chat.completions.create({{
  model: {_text(model)},
  messages: [{{ role: "user", content: {_text(QUESTION)} }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}"""


def _terminal(base_url: str, model: str, *, needs_key: bool) -> str:
    key = ' \\\n  --api-key "$MLX_API_KEY"' if needs_key else ""
    return (
        f"mlx-server chat {shlex.quote(QUESTION)} \\\n"
        f"  --base-url {shlex.quote(base_url)} --model {shlex.quote(model)}{key}"
    )


def _text(value: str) -> str:
    """A string as JSON, Python and JavaScript all write it."""
    return json.dumps(value)
