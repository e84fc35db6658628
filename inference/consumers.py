"""Chat over a WebSocket at /ws/chat: owns one connection's messages.

A client sends chat requests as JSON messages and reads the chunks of the
answer, each a message of its own; `{"type": "cancel"}` stops it, and
`{"type": "models"}` asks for what `GET /v1/models` lists. Channels awaits every
handler, so what takes long runs in a task: otherwise neither "cancel" nor the
disconnect would be read.

A browser cannot send a key with the handshake: it comes in the first message, as
`{"type": "auth", "api_key": ...}`, or the session of staff stands in for it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from channels.generic.websocket import AsyncWebsocketConsumer

from inference.auth import authorise, is_foreign, presented_key
from inference.core.errors import (
    AuthenticationError,
    InferenceError,
    InvalidRequestError,
    ServerDrainingError,
)
from inference.core.outcomes import Operation
from inference.core.trace import Client
from inference.exchange.answering import answer_events
from inference.exchange.reading import read_sized
from inference.faces.chat.body import to_request
from inference.faces.chat.socket import SocketChatWriter, end_message, error_message
from inference.protocol.catalog import model_list_body
from inference.protocol.errors import public_error
from inference.protocol.json_body import read_object
from inference.runtime.app import App, current_app
from inference.runtime.unauthenticated import is_unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from inference.core.trace import RequestTrace
    from inference.protocol.sse import Event

ENDPOINT = "/ws/chat"
FOREIGN_ORIGIN = 4403
UNAUTHORISED = 4401
# 1003 is the protocol's own word for it; servers may send 3000 to 4999 only.
UNSUPPORTED_DATA = 4003
UNKNOWN_PATH = 4404


@dataclass(frozen=True, slots=True)
class RunningAnswer:
    """A running answer: its story and the task that writes it."""

    trace: RequestTrace
    task: asyncio.Task[None]

    async def cancel(self, reason: str) -> None:
        """Stop it and wait until its seat is free."""
        self.trace.cancel(reason)
        self.task.cancel()
        await asyncio.wait((self.task,))


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One client's connection: at most one generation at a time."""

    app: App
    headers: dict[str, str]
    key_name: str | None = None
    # The session is asked about again with each message: staff log out.
    is_by_session = False
    is_turned_away = False
    generation: RunningAnswer | None = None
    listing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the connection; whatever ends it, no generation outlives it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.listing is not None:
                self.listing.cancel()
            if self.generation is not None:
                await self.generation.cancel("")

    async def connect(self) -> None:
        """Accept the handshake, unless a foreign page asks for it."""
        self.app = current_app()
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.scope["headers"]
        }
        if is_foreign(
            self.headers,
            allowed_hosts=self.app.allowed_hosts,
            origins=self.app.origins,
        ):
            await self.close(FOREIGN_ORIGIN)
            return
        presented = presented_key(self.headers)
        if presented or not self.app.keys.required:
            self._authorise_quietly(presented)
        else:
            self.is_by_session = True
            await self._look_session_up()
        await self.accept()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Read one message and do what its type says."""
        if self.is_turned_away:
            # Sent before the client read that the line is closed.
            return
        if text_data is None:
            error = InvalidRequestError("Binary messages are not read here.")
            await self._refuse(error)
            await self.close(UNSUPPORTED_DATA)
            return
        try:
            raw = text_data.encode("utf-8", "surrogatepass")
            await self._dispatch_message(await self._read(raw), len(raw))
        except InferenceError as error:
            await self._refuse(error)
            if isinstance(error, AuthenticationError):
                self.is_turned_away = True
                await self.close(UNAUTHORISED)

    async def _read(self, raw: bytes) -> dict[str, Any]:
        limit_bytes = self.app.limits.websocket_message_bytes
        if len(raw) > limit_bytes:
            raise InvalidRequestError(
                f"The message is larger than {limit_bytes} bytes.",
                code="message_too_large",
            )
        return await read_object(raw, limits=self.app.limits)

    async def _dispatch_message(self, message: dict[str, Any], size_bytes: int) -> None:
        kind = message.pop("type", "chat")
        if kind == "auth":
            self._authorise(message.get("api_key"))
            return
        if self.is_by_session:
            await self._look_session_up()
        if self.key_name is None:
            self._authorise("")
        elif kind == "cancel":
            await self._cancel()
        elif kind == "chat":
            self._begin(message, size_bytes)
        elif kind == "models":
            self._begin_listing()
        else:
            raise InvalidRequestError(
                "Unknown message type. Supported are: 'auth', 'chat', 'cancel', "
                "'models'.",
                param="type",
            )

    def _authorise(self, presented: object) -> None:
        if not isinstance(presented, str):
            raise InvalidRequestError("Expected a string.", param="api_key")
        self.is_by_session = False
        self.key_name = authorise(self.app.keys, presented)

    async def _look_session_up(self) -> None:
        self.key_name = await self.app.sessions.name_of(self.headers)

    def _authorise_quietly(self, presented: str) -> None:
        try:
            self._authorise(presented)
        except AuthenticationError:
            # The handshake cannot carry an error; the first message will.
            self.key_name = None

    def _begin_listing(self) -> None:
        """List the models; who asks again meanwhile gets the same list."""
        if self.listing is None or self.listing.done():
            self.listing = asyncio.create_task(self._list_models())

    async def _list_models(self) -> None:
        try:
            cards = await self.app.service.known_cards()
        except Exception as error:  # noqa: BLE001 -- logged by `public_error`
            await self._refuse(public_error(error))
        else:
            await self._send_object({"type": "models", **model_list_body(cards)})

    async def _cancel(self) -> None:
        """Stop what runs. Nothing running is no error: it may just have ended."""
        generation = self.generation
        if generation is None:
            return
        await generation.cancel("cancelled_by_client")
        self.generation = None
        await self._send_object(end_message("cancelled", generation.trace))

    def _begin(self, body: dict[str, Any], size_bytes: int) -> None:
        if self.app.service.is_draining:
            raise ServerDrainingError("The server is shutting down.")
        if self.generation is not None:
            raise InvalidRequestError(
                "An answer is being generated on this connection. "
                "Wait for its end or cancel it.",
                code="generation_in_progress",
            )
        trace = self._new_trace()
        trace.open()
        task = asyncio.create_task(self._generate(body, size_bytes, trace))
        # A task cancelled before its first step never reaches its own `finally`.
        task.add_done_callback(lambda _: trace.close())
        self.generation = RunningAnswer(trace, task)

    async def _generate(
        self, body: dict[str, Any], size_bytes: int, trace: RequestTrace
    ) -> None:
        """Write one answer and its end; the trace ends before the client reads so."""
        try:
            async with aclosing(
                await self._answered(body, size_bytes, trace)
            ) as stream:
                async for events in stream:
                    if trace.is_closed:
                        self.generation = None
                    for event in events:
                        await self.send(event.data.decode())
        except asyncio.CancelledError:
            trace.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- logged by `public_error`
            public = public_error(error)
            trace.fail(public)
            trace.close()
            self.generation = None
            await self._send_object(error_message(public, trace))

    async def _answered(
        self, body: dict[str, Any], size_bytes: int, trace: RequestTrace
    ) -> AsyncGenerator[Sequence[Event], None]:
        app, body = self.app, {**body, "stream": True}
        trace.asked(body)
        request, options = await read_sized(
            to_request,
            body,
            size_bytes=size_bytes,
            limits=app.limits,
            strict=app.strict_params,
        )
        trace.describe(request)
        key = await app.service.key_of(request.model)
        writer = SocketChatWriter(
            trace, int(app.clock.wall()), key, options, server=app.server
        )
        return answer_events(app, trace, request.work, key, writer)

    async def _refuse(self, error: InferenceError) -> None:
        trace = self._new_trace()
        host = trace.record.client_host
        if not is_unauthenticated(error) or self.app.unauthenticated.may_leave_row(
            host
        ):
            trace.open()
        trace.fail(error)
        trace.close()
        await self._send_object(error_message(error, trace))

    def _new_trace(self) -> RequestTrace:
        host, *_ = self.scope.get("client") or ("",)
        limit = self.app.limits.header_chars
        trace = self.app.new_trace(
            endpoint=ENDPOINT,
            operation=Operation.CHAT,
            client=Client.of(self.headers, host, limit=limit),
            connection=self.scope.get("mlxsite.connection"),
        )
        trace.authorised(self.key_name or "")
        return trace

    async def _send_object(self, value: dict[str, Any]) -> None:
        await self.send(msgspec.json.encode(value).decode())


class UnknownPathConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Refuses the handshake on every other path, without a traceback."""

    async def connect(self) -> None:
        """Refuse."""
        await self.close(UNKNOWN_PATH)
