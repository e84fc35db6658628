"""A running server as the command line sees it: its models, loads and unloads."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_S = 5.0
# A load may download for an hour; its progress comes at least this often.
SILENCE_S = 120.0


class ServerError(RuntimeError):
    """The server refused, or nobody answers there; the message is one line."""


class ServerClient:
    """Speaks to one server; `base_url` ends in /v1."""

    def __init__(self, base_url: str, api_key: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # No proxy from the environment: the server is near.
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            trust_env=False,
        )

    def models(self) -> list[dict[str, Any]]:
        """Return the models as `GET /v1/models` lists them.

        Raises:
            ServerError: with one line that says why not.
        """
        with self._told():
            answer = self._http.get(f"{self._base_url}/models")
        models: list[dict[str, Any]] = _object(answer)["data"]
        return models

    def load(self, model: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Load a model; yield how far it is, and at last the model.

        Raises:
            ServerError: with one line that says why not.
        """
        body = {"model": model, "stream": True, **options}
        url = f"{self._base_url}/models/load"
        with self._told(), self._http.stream("POST", url, json=body) as answer:
            if answer.is_error:
                answer.read()
                _object(answer)
            for line in answer.iter_lines():
                word, _, data = line.partition(": ")
                if word != "data" or data == "[DONE]":
                    continue
                event = json.loads(data)
                if "object" not in event:
                    raise ServerError(event["error"]["message"])
                yield event

    def unload(self, key: str, *, force: bool) -> dict[str, Any]:
        """Unload a model and return it.

        Raises:
            ServerError: with one line that says why not.
        """
        with self._told():
            answer = self._http.post(
                f"{self._base_url}/models/unload",
                json={"key": key, "force": force},
                # It waits for the requests that run.
                timeout=httpx.Timeout(None, connect=CONNECT_S),
            )
        return _object(answer)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what goes wrong on the way into one line."""
        try:
            yield
        except httpx.ConnectError:
            raise ServerError(
                f"no server answers at {self._base_url}: start one with "
                "`mlx-server launch`, or name it with --base-url"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = str(error) or type(error).__name__
            raise ServerError(f"{self._base_url}: {words}") from None
        except (ValueError, KeyError, TypeError):
            raise ServerError(f"{self._base_url} gave no answer of ours") from None


def _object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        ServerError: it is an error, or no object.
    """
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServerError(f"{answer.url} answered {answer.status_code} without JSON")
    if answer.is_error:
        error = body.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        raise ServerError(str(message or f"status {answer.status_code}"))
    return body
