"""A running server as the command line sees it: models, loads, what runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx

from inference.client.faults import ServerError, not_offered, refused, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.client.address import ServerAddress

CONNECT_S = 5.0
# A load may download for an hour; its progress comes at least this often.
SILENCE_S = 120.0


class ServerClient:
    """Speaks to one server, for what the openai SDK has no words for."""

    def __init__(self, address: ServerAddress) -> None:
        self._base_url = address.base_url
        key = address.api_key
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            trust_env=not address.is_near,
        )

    def models(self) -> list[dict[str, Any]]:
        """Return the models as `GET /v1/models` lists them; any server can.

        Raises:
            ServerError: with one line that says why not.
        """
        with told(self._base_url):
            answer = self._http.get(f"{self._base_url}/models")
            return _listed(answer)

    def offers(self, path: str) -> bool:
        """Whether there is an address below the base URL; asking does nothing.

        Raises:
            ServerError: with one line that says why nobody can tell.
        """
        with told(self._base_url):
            return self._http.get(f"{self._base_url}{path}").status_code != 404

    def running(self) -> list[dict[str, Any]]:
        """Return the requests that are open, oldest first.

        Raises:
            ServerError: with one line that says why not.
        """
        with told(self._base_url):
            answer = self._http.get(f"{self._base_url}/queue/requests")
            self._refuse_strangers(answer, "tell what runs")
            return _listed(answer)

    def load(self, model: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Load a model; yield how far it is, and at last the model.

        Raises:
            ServerError: with one line that says why not.
        """
        body = {"model": model, "stream": True, **options}
        url = f"{self._base_url}/models/load"
        with told(self._base_url), self._http.stream("POST", url, json=body) as answer:
            if answer.is_error:
                answer.read()
                self._refuse_strangers(answer, "load models")
                _object(answer)
            for line in answer.iter_lines():
                word, _, data = line.partition(": ")
                if word != "data" or data == "[DONE]":
                    continue
                event = json.loads(data)
                if "object" not in event:
                    raise ServerError(event["error"]["message"])
                yield event

    def unload(self, key: str, *, force: bool = False) -> dict[str, Any]:
        """Unload a model and return it.

        Raises:
            ServerError: with one line that says why not.
        """
        with told(self._base_url):
            answer = self._http.post(
                f"{self._base_url}/models/unload",
                json={"key": key, "force": force},
                # It waits for the requests that run.
                timeout=httpx.Timeout(None, connect=CONNECT_S),
            )
            self._refuse_strangers(answer, "unload models")
            return _object(answer)

    def _refuse_strangers(self, answer: httpx.Response, deed: str) -> None:
        """Say of a server of another kind that it has no such address."""
        if answer.status_code not in {404, 405, 501}:
            return
        error = _json(answer).get("error")
        code = error.get("code") if isinstance(error, dict) else None
        # A server of this kind names a code of its own in every refusal.
        if code in {None, 404, 405, 501, "unknown_url"}:
            raise not_offered(self._base_url, deed)


def as_the_server_finds_it(model: str, address: ServerAddress) -> str:
    """Return a folder's whole path, where the server sees the same folders.

    It was not started in the folder in which the user is.
    """
    path = Path(model).expanduser()
    if address.is_near and (path / "config.json").is_file():
        return str(path.resolve())
    return model


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        ServerError: the server refused.
        ValueError: it is no object.
    """
    body = _json(answer)
    if answer.is_error:
        raise refused(answer.status_code, body, url=str(answer.url))
    if not body:
        raise ValueError("no JSON object")
    return body


def _listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the objects of a list, each of which has an id.

    Raises:
        ServerError: the server refused.
        ValueError: it is no list of such.
    """
    found = _object(answer).get("data")
    is_list = isinstance(found, list) and all(map(_has_id, found))
    if not is_list:
        raise ValueError("no list of objects with ids")
    return cast("list[dict[str, Any]]", found)


def _has_id(each: object) -> bool:
    return isinstance(each, dict) and isinstance(each.get("id"), str)
