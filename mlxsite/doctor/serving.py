"""What a start would find: its port, and the models it would load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from inference.library.errors import LibraryError
from inference.library.hub import cached, is_hub_id
from inference.library.local import inspect
from inference.library.machine import memory_bytes
from inference.library.places import DEFAULT_MODEL
from inference.library.words import printable, size_in_words
from inference.runtime.memory import MemoryBudget
from mlxsite.doctor.findings import Finding, note, warning, well, wrong
from mlxsite.startup.default_model import preferred_variant
from mlxsite.startup.errors import StartupError
from mlxsite.startup.network import base_url, ensure_port_is_free

if TYPE_CHECKING:
    from inference.conf import ServerConfig

ASK_S = 3.0
ANSWER_BYTES = 1_000_000
# What models of this server are owned by: its name, and its old one.
OWNERS = frozenset({"mlx-server", "mlxsite"})


def check_port(config: ServerConfig) -> list[Finding]:
    """Whether the port is free, and if not, who answers there."""
    name = f"port {config.port}"
    try:
        ensure_port_is_free(config.host, config.port)
    except StartupError as error:
        if "already in use" in str(error):
            return [_who_answers(name, config)]
        return [wrong(name, str(error), "Choose another with PORT or HOST.")]
    return [well(name, f"free on {config.host}")]


def _who_answers(name: str, config: ServerConfig) -> Finding:
    url = base_url(config.host, config.port)
    advice = "Stop that program, or choose another port with PORT or --port."
    try:
        listed, is_ready = _fetch_models(url, config.api_key)
    except (httpx.HTTPError, ValueError, TypeError):
        return wrong(name, f"another program listens at {url}", advice)
    if "error" in listed:
        words = f"a server at {url} does not take the key of these settings"
        return wrong(name, words, advice)
    models = listed.get("data") or []
    if not any(one.get("owned_by") in OWNERS for one in models):
        return wrong(name, f"another server answers at {url}", advice)
    if not is_ready:
        return note(name, f"our server runs at {url}; no model is ready there yet")
    loaded = [one["id"] for one in models if one.get("state") == "ready"]
    return well(name, f"our server runs at {url} with {', '.join(loaded)}")


def _fetch_models(url: str, api_key: str) -> tuple[dict[str, Any], bool]:
    """Return what a server lists as its models, and whether it says it is ready."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(timeout=ASK_S, trust_env=False) as client:
        listed = _json(client, f"{url}/v1/models", headers)
        return listed, client.get(f"{url}/health/ready").is_success


def _json(client: httpx.Client, url: str, headers: dict[str, str]) -> dict[str, Any]:
    """Return an object that a server answers with, of bounded size and time."""
    text = b""
    with client.stream("GET", url, headers=headers) as answer:
        for part in answer.iter_bytes():
            text += part
            if len(text) > ANSWER_BYTES:
                raise ValueError(url)
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(url)
    return found


def check_models(config: ServerConfig, gpu_bytes: int) -> list[Finding]:
    """Whether the models of a start are there, whole, and fit into memory."""
    names = config.default_models or ("",)
    budget = MemoryBudget.of(
        asked_bytes=config.memory_budget_bytes,
        machine_bytes=memory_bytes(),
        gpu_bytes=gpu_bytes,
    )
    return [_check_model(name, config, budget.total_bytes) for name in names]


def _check_model(name: str, config: ServerConfig, budget_bytes: int) -> Finding:
    key, found, rest = name.partition("=")
    source = rest if found and not Path(name).expanduser().is_dir() else name
    shown = printable(key if found else name) or DEFAULT_MODEL
    folder = _folder_of(source, config)
    if folder is None:
        return _absent(shown, source, config)
    model = inspect(folder)
    if model.problem:
        return wrong("model", f"{shown}: {printable(model.problem)}", _ANOTHER)
    needs = size_in_words(model.memory_bytes)
    words = f"{shown} needs {needs} of {size_in_words(budget_bytes)}"
    facts = {"path": str(folder), "memory_bytes": model.memory_bytes}
    if model.memory_bytes > budget_bytes:
        return wrong("model", words, _SMALLER, **facts)
    return well("model", words, **facts)


_ANOTHER = "Set MODEL to another one; `mlx-server models` lists what is here."
_SMALLER = "Choose a smaller one (mlx-server pull suggests some), or see MEMORY_BUDGET."


def _folder_of(source: str, config: ServerConfig) -> Path | None:
    """Return where a model lies, without fetching it."""
    if source in {"", DEFAULT_MODEL}:
        variant = f"{DEFAULT_MODEL}-{preferred_variant()}"
        folder = config.data_dir / "models" / variant
        return folder if folder.is_dir() else None
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    try:
        return cached(source) if is_hub_id(source) else None
    except LibraryError:
        return None


def _absent(shown: str, source: str, config: ServerConfig) -> Finding:
    if source in {"", DEFAULT_MODEL}:
        words = f"{shown} is not here yet"
        return note("model", words, "The first start downloads it (93 MB).")
    if not is_hub_id(source):
        return wrong("model", f"there is no model at {printable(source)}", _ANOTHER)
    advice = f"The next start downloads it; or now: mlx-server pull {source}"
    if not config.allow_download:
        return warning(
            "model", f"{shown} is not here, and ALLOW_DOWNLOAD is off", advice
        )
    return note("model", f"{shown} is not here yet", advice)
