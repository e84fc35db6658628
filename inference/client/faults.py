"""What can go wrong with a server, as one line that says what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ADVICE = "Name its key with --api-key, OPENAI_API_KEY or MLX_API_KEY."
MODEL_ADVICE = "Name a model with --model; `mlx-server list` shows them."


class ServerError(RuntimeError):
    """The server refused or failed, or nobody answers there; one line."""


class NoEntryError(ServerError):
    """Nobody answers there, or not to this key: nothing else would work either."""


def nobody_answers(base_url: str) -> ServerError:
    """Nothing listens there."""
    return NoEntryError(
        f"no server answers at {base_url}: start one with "
        "`mlx-server launch`, or name it with --base-url"
    )


def not_offered(base_url: str, deed: str) -> ServerError:
    """A server of another kind cannot do this."""
    return ServerError(f"the server at {base_url} does not {deed}: mlx-server does")


def broke_off(why: str) -> ServerError:
    """An answer has begun and will not be whole."""
    return ServerError(f"the answer broke off: {why}")


def refused(status: int, body: Any, *, url: str) -> ServerError:
    """Read what a server said with an error status; `body` is parsed JSON or not."""
    message = _message(body) or f"{url} answered with status {status}"
    if status == 401:
        return NoEntryError(f"{message} {KEY_ADVICE}")
    return ServerError(message)


@contextmanager
def told(base_url: str) -> Iterator[None]:
    """Turn what goes wrong with plain HTTP into one line.

    Raises:
        ServerError: instead of what httpx raises.
    """
    try:
        yield
    except httpx.ConnectError:
        raise nobody_answers(base_url) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = str(error) or type(error).__name__
        raise ServerError(f"{base_url}: {words}") from None
    except (ValueError, KeyError, TypeError):
        raise ServerError(f"{base_url} answered, but not in OpenAI's form") from None


@contextmanager
def told_by_sdk(base_url: str, *, midway: bool = False) -> Iterator[None]:
    """Turn what goes wrong in the openai SDK into one line; `midway`: in an answer.

    Raises:
        ServerError: instead of what the SDK raises.
    """
    import openai

    try:
        yield
    except openai.APITimeoutError:
        raise ServerError(f"{base_url} did not answer in time") from None
    except openai.APIConnectionError:
        if midway:
            raise broke_off(f"{base_url} closed the connection") from None
        raise nobody_answers(base_url) from None
    except openai.APIStatusError as error:
        refusal = refused(error.status_code, error.body, url=str(error.request.url))
        raise _with_model_advice(refusal, error) from None
    except openai.APIError as error:
        said = error.message or type(error).__name__
        raise (broke_off(said) if midway else ServerError(said)) from None
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
        raise ServerError(
            f"{base_url} answered, but not in OpenAI's form ({type(error).__name__})"
        ) from None


def _with_model_advice(said: ServerError, error: Any) -> ServerError:
    """Some servers refuse a request that names no model; ours chooses one."""
    is_about_model = error.param == "model" or "model" in str(said).lower()
    if error.status_code in {400, 404, 422} and is_about_model:
        return ServerError(f"{said} {MODEL_ADVICE}")
    return said


def _message(body: Any) -> str:
    """Return the message of an error body, whether its `error` was taken out or not."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error", body)
    if isinstance(error, str):
        return error
    found = error.get("message") or error.get("detail") if error else ""
    return found if isinstance(found, str) else ""
