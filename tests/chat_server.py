"""The part that all OpenAI-compatible servers of the tests share: real HTTP on a free port, JSON in and out.

What is said, and what goes wrong, is each server's own.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


class ChatServer(ThreadingHTTPServer):
    """Serves `/v1/chat/completions`; a subclass names its handler."""

    daemon_threads = True
    request_queue_size = 64
    handler: type["ChatHandler"]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that leave early or are killed."""


class ChatHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def send_json(self, status: int, value: dict[str, Any], *, cut: bool = False) -> None:
        """Sends a reply, or half of it before the connection closes."""
        content = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if cut:
            self.close_connection = True
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def fail(self, status: int, message: str, code: str | None = None) -> None:
        self.send_json(status, {"error": {"message": message, "type": code or "test", "code": code}})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """Keeps the test's output clean."""


Server = TypeVar("Server", bound=ChatServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serves for the length of a block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
