"""What the fake hub says: the routes of a hub, and what goes wrong on the way."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.library.fake_hub import FakeHub, HubFile

PIECE_BYTES = 64 * 1024


def handler_of(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    """Return the class of this hub's answers."""
    return type("Handler", (_Handler,), {"hub": hub})


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"
    ROUTES = (
        (r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", "_model"),
        (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", "_tree"),
        (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "_resolve"),
        (r"/cdn/([0-9a-f]{64})", "_content"),
    )

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.note(
            method=self.command,
            path=path,
            host=self.headers.get("Host", "").partition(":")[0],
            start=self._start(),
            authorization=self.headers.get("Authorization", ""),
        )
        if self.hub.faults.status is not None:
            return self._refuse(self.hub.faults.status, "", "the hub is not well")
        for pattern, method in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match is not None:
                return getattr(self, method)(*match.groups())
        return self._refuse(404, "", "no such path")

    def _start(self) -> int:
        """Return the first byte that is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def _is_known(self, repo: str, revision: str | None) -> bool:
        if not self.hub.has(repo):
            self._refuse(401, "RepoNotFound", "Invalid username or password.")
            return False
        if revision not in (None, "main", self.hub.commit_of(repo)):
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return False
        return True

    def _model(self, repo: str, revision: str | None) -> None:
        if not self._is_known(repo, revision):
            return
        siblings = []
        for name, file in self.hub.files(repo).items():
            size = self.hub.size_of(file)
            about = {"rfilename": name, "size": size, "blobId": file.blob_id}
            if file.is_large:
                lfs = {"size": size, "sha256": file.sha256, "pointerSize": 134}
                about["lfs"] = lfs
            siblings.append(about)
        self._send_json(
            {"id": repo, "sha": self.hub.commit_of(repo), "siblings": siblings}
        )

    def _tree(self, repo: str, revision: str) -> None:
        if not self._is_known(repo, revision):
            return
        entries = []
        for name, file in self.hub.files(repo).items():
            size = self.hub.size_of(file)
            entry = {"type": "file", "path": name, "size": size, "oid": file.blob_id}
            if file.is_large:
                entry["lfs"] = {"size": size, "oid": file.sha256, "pointerSize": 134}
            entries.append(entry)
        self._send_json(entries)

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if not self._is_known(repo, revision):
            return
        if repo in self.hub.faults.gated and not self.headers.get("Authorization"):
            self._refuse(401, "GatedRepo", f"Access to model {repo} is restricted.")
            return
        file = self.hub.files(repo).get(name)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": self.hub.commit_of(repo)}
        if file.is_large:
            headers["X-Linked-Etag"] = f'"{file.sha256}"'
            headers["X-Linked-Size"] = str(self.hub.size_of(file))
            # Another host, as far as HTTP is concerned.
            headers["Location"] = f"http://localhost:{self.hub.port}/cdn/{file.sha256}"
            self._send(302, headers, b"")
        else:
            self._send_file(file, headers | {"ETag": f'"{file.blob_id}"'})

    def _content(self, sha256: str) -> None:
        file = self.hub.large(sha256)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
        else:
            self._send_file(file, {"ETag": f'"{sha256}"'})

    def _send_file(self, file: HubFile, headers: dict[str, str]) -> None:
        size, status = file.size, 200
        start = 0 if self.hub.faults.ignores_ranges else self._start()
        if start >= size > 0:
            self._send(416, {"Content-Range": f"bytes */{size}"}, b"")
            return
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self.send_response(status)
        headers |= {"Content-Length": str(size - start), "Accept-Ranges": "bytes"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send_pieces(file, start)

    def _send_pieces(self, file: HubFile, start: int) -> None:
        sent = 0
        for piece in self._pieces(file, start):
            if file.is_large and not self._goes_on(sent):
                self.close_connection = True
                return
            try:
                self.wfile.write(piece)
            except OSError:  # the client has gone
                self.close_connection = True
                return
            self.hub.note_sent(len(piece))
            sent += len(piece)

    def _pieces(self, file: HubFile, start: int) -> Iterator[bytes]:
        with file.path.open("rb") as content:
            content.seek(start)
            while piece := content.read(PIECE_BYTES):
                is_spoiled = file.is_large and self.hub.faults.spoiled
                yield bytes(len(piece)) if is_spoiled else piece

    def _goes_on(self, sent: int) -> bool:
        """Do what is wrong here before the next piece; say whether it follows."""
        faults = self.hub.faults
        if faults.pause_s:
            threading.Event().wait(faults.pause_s)
        if faults.hold_after is not None and sent >= faults.hold_after:
            self.hub.wait_for_release()
        is_far = faults.cut_after is not None and sent >= faults.cut_after
        return not (is_far and self.hub.takes_cut())

    def _send_json(self, content: Any) -> None:
        headers = {"Content-Type": "application/json"}
        self._send(200, headers, json.dumps(content).encode())

    def _refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message, "Content-Type": "application/json"}
        if code:
            headers["X-Error-Code"] = code
        self._send(status, headers, json.dumps({"error": message}).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
