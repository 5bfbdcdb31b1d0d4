"""An API server on the loopback address that answers GETs as a test says."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "t0ken"


class ApiServer(ThreadingHTTPServer):
    """Answers by path, and refuses who does not show the token."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @contextmanager
    def serving(self) -> Iterator[ApiServer]:
        """Answer until the end of the block."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        with self:
            thread.start()
            yield self
            self.shutdown()
            thread.join()

    def kubeconfig(self, folder: Path) -> str:
        """Write one that leads here."""
        host, port = self.server_address[:2]
        file = folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": f"http://{host!s}:{port}"}}],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
            "contexts": [
                {"name": "it", "context": {"cluster": "it", "user": "me", "namespace": "hal9"}}
            ],
        }
        file.write_text(yaml.safe_dump(content))
        return str(file)


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        """Answer as the test has said."""
        self.server.asked.append(self.path)
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        status, content = self.server.answers.get(self.path, (404, {})) if allowed else (401, {})
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the terminal clean."""
