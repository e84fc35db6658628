"""The paths of `/v1` and `/health` in the OpenAPI document."""

from __future__ import annotations

from inference.protocol.openapi.encoders import encoder_paths
from inference.protocol.openapi.messages import message_paths
from inference.protocol.openapi.ollama import ollama_paths
from inference.protocol.openapi.shapes import STRING, Schema, answer, ref, refusals
from inference.protocol.openapi.stored import stored_paths


def server_paths() -> Schema:
    """Return the paths of `/v1` and `/health`."""
    keyless: Schema = {"security": [{}]}
    return {
        "/v1/chat/completions": {"post": _chat_operation()},
        "/v1/completions": {"post": _completion_operation()},
        **encoder_paths(),
        **message_paths(),
        "/v1/chat/completions/render": {
            "post": _token_operation(
                "Tell what a model would read of a conversation.",
                "RenderedChat",
                body="ChatRequest",
            )
        },
        "/tokenize": {
            "post": _token_operation(
                "Tell the tokens of a text or of a conversation.",
                "Tokens",
                body="TokenizeRequest",
            )
        },
        "/detokenize": {
            "post": _token_operation(
                "Tell the text of tokens.", "Text", body="DetokenizeRequest"
            )
        },
        "/v1/responses": {"post": _response_operation()},
        **stored_paths(),
        "/v1/models": {"get": _operation("models", "List the models.", "ModelList")},
        "/v1/models/{id}": {
            "get": _operation(
                "models", "Show one model.", "Model", status_404="There is none."
            )
            | {"parameters": [_path_parameter("id", "A model's key.")]}
        },
        "/v1/models/load": {
            "post": _operation(
                "models",
                "Load a model; with `stream`, progress comes as server-sent events.",
                "ChangedModel",
                body="LoadRequest",
                status_404="Not known here.",
                status_409="It is loaded already.",
                status_503="It does not fit into memory.",
            )
        },
        "/v1/models/unload": {
            "post": _operation(
                "models",
                "Unload a model once its requests have ended, or by force.",
                "ChangedModel",
                body="UnloadRequest",
                status_404="There is none.",
                status_409="It is not loaded.",
            )
        },
        **ollama_paths(),
        "/v1/queue/stats": {
            "get": _operation(
                "queue", "Queues, and totals over all time.", "QueueStats"
            )
        },
        "/v1/queue/requests": {
            "get": _operation(
                "queue",
                "The requests that are open, oldest first.",
                "QueueRequestList",
                status_403="Without a key: only programs on the server's machine.",
            )
        },
        "/v1/requests/{id}/cancel": {
            "post": _operation(
                "queue",
                "End a request that the same key began: its row says so.",
                "CancelledRequest",
                status_404="None of this key's is being answered under that id.",
            )
            | {
                "parameters": [
                    _path_parameter("id", "`x-request-id`, or the answer's id.")
                ]
            }
        },
        "/health": {"get": _health("The process answers.") | keyless},
        "/health/ready": {
            "get": _health("A model can answer.", status_503="None can.") | keyless
        },
    }


def _operation(
    tag: str, summary: str, schema: str, *, body: str = "", **failures: str
) -> Schema:
    failures = {"status_401": "A key is needed, or this is none.", **failures}
    if body:
        failures["status_400"] = "What is wrong, and which parameter it is about."
    operation: Schema = {
        "tags": [tag],
        "summary": summary,
        "responses": {"200": answer("Done.", ref(schema)), **refusals(**failures)},
    }
    if body:
        operation["requestBody"] = _body(body)
    return operation


def _body(name: str) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": ref(name)}}}


def _path_parameter(name: str, text: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": STRING,
    }


def _token_operation(summary: str, schema: str, *, body: str) -> Schema:
    return _operation(
        "tokens",
        summary,
        schema,
        body=body,
        status_404="The model is not known here.",
        status_429="Every waiting place is taken.",
        status_503="No model can answer.",
        status_504="The request took longer than the server allows.",
    )


def _chat_operation() -> Schema:
    return _answer_operation(
        "Answer a conversation; with `stream`, as server-sent events.",
        "ChatCompletion",
        body="ChatRequest",
        events="`data: ` and a ChatChunk each, then `data: [DONE]`.",
    )


def _completion_operation() -> Schema:
    return _answer_operation(
        "Go on from bare texts or token ids; with `stream`, as server-sent events.",
        "Completion",
        body="CompletionRequest",
        events="`data: ` and a Completion each, then `data: [DONE]`.",
    )


def _response_operation() -> Schema:
    return _answer_operation(
        "Answer what is new in a conversation; with `stream`, as Open Responses' "
        "events.",
        "Response",
        body="ResponseRequest",
        events="`response.created`, the items of the output, `response.completed`, "
        "`response.incomplete`, or `error` and `response.failed`; then `data: [DONE]`.",
    )


def _answer_operation(summary: str, schema: str, *, body: str, events: str) -> Schema:
    operation = _operation(
        "chat",
        summary,
        schema,
        body=body,
        status_404="The model is not known here.",
        status_429="Every waiting place is taken.",
        status_503="No seat came free in time, or no model can answer.",
        status_504="The request took longer than the server allows.",
    )
    done = operation["responses"]["200"]
    done["content"]["text/event-stream"] = {"schema": STRING | {"description": events}}
    done["headers"] = {
        "x-request-id": {"description": "The id of its row.", "schema": STRING},
        "x-ignored-params": {
            "description": "Names in the body that mean nothing here, or to the model.",
            "schema": STRING,
        },
        "x-schema-check": {
            "description": "Whether the answer fits what no grammar could hold it to.",
            "schema": {"enum": ["fits", "does-not-fit", "not-checked"]},
        },
    }
    return operation


def _health(text: str, **failures: str) -> Schema:
    responses = {"200": answer(text, ref("Health"))}
    for status, why in failures.items():
        responses[status.removeprefix("status_")] = answer(why, ref("Health"))
    return {"tags": ["health"], "summary": text, "responses": responses}
