"""A server of another kind, whose answers a test writes: as hostile as it likes."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Instead of a piece of text: the connection is cut here.
CUT = object()

Step = str | dict[str, Any] | threading.Event | object


class ScriptedServer:
    """Plays steps for each question: a text, a whole delta, an event to wait for.

    `asked` holds the bodies that came. It knows (unless `models` is none) `/v1/models` and chat, as little
    of it as there may be, and no other address. Models are names, or all that is
    told of them; with `api_key` they are told to who brings it.
    """

    def __init__(
        self,
        *steps: Step,
        models: Sequence[str | dict[str, Any]] | None = ("scripted",),
        api_key: str = "",
    ) -> None:
        self.steps: tuple[Step, ...] = steps
        self.models = models
        self.api_key = api_key
        self.usage: dict[str, int] | None = None
        self.finish_reason: str | None = "stop"
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self._http = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"script": self})
        )
        # A test that ends should not wait for half a second each time.
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def deltas(self) -> Iterator[dict[str, Any] | threading.Event | object]:
        for step in self.steps:
            yield {"content": step} if isinstance(step, str) else step


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedServer

    def do_GET(self) -> None:
        if self.path == "/v1/chat/completions":
            self.send_error(405)
            return
        if self.path != "/v1/models" or self.script.models is None:
            self.send_error(404)
            return
        key = self.script.api_key
        if key and self.headers.get("authorization") != f"Bearer {key}":
            self.send_error(401)
            return
        listed = [
            {"object": "model"} | (model if isinstance(model, dict) else {"id": model})
            for model in self.script.models
        ]
        self._answer({"object": "list", "data": listed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self.send_error(404)
            return
        self.script.asked.append(body)
        self.script.keys.append(self.headers.get("authorization", ""))
        if body.get("stream"):
            # Clients may leave at any time.
            with suppress(ConnectionError):
                self._stream()
        else:
            text = "".join(step for step in self.script.steps if isinstance(step, str))
            message = {"role": "assistant", "content": text}
            self._answer(self._chunk(message=message, reason=self.script.finish_reason))

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta in self.script.deltas():
            if delta is CUT:
                return
            if isinstance(delta, threading.Event):
                delta.wait(60)
            else:
                self._event(self._chunk(delta=delta, reason=None))
        self._event(self._chunk(delta={}, reason=self.script.finish_reason))
        if self.script.usage:
            self._event(self._chunk() | {"choices": [], "usage": self.script.usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, *, reason: str | None = None, **said: Any) -> dict[str, Any]:
        choice = {"index": 0, **said, "finish_reason": reason}
        head = {"id": "x", "object": "chat.completion.chunk", "created": 1}
        return {**head, "model": "scripted", "choices": [choice]}

    def _event(self, body: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.flush()

    def _answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
