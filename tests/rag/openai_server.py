"""A small OpenAI-compatible server: real HTTP, real server-sent events, and the failures a provider can show."""

import json
import time
from contextlib import AbstractContextManager
from typing import Any

from tests.chat_server import ChatHandler, ChatServer, serving


class _Handler(ChatHandler):
    server: "OpenAIServer"

    def do_POST(self) -> None:  # noqa: N802 (the base class names it so)
        body = self.body()
        self.server.requests.append(body)
        self.server.keys.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
        match self.server.mode:
            case "unauthorized":
                self.fail(401, f"Incorrect API key provided: {self.server.keys[-1]}")
            case "rate_limit":
                self.fail(429, "Rate limit reached")
            case "broken":
                self.fail(500, "internal\nerror")
            case "slow":
                time.sleep(1)
            case _:
                self._stream(body.get("model", ""))

    def _stream(self, model: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if self.server.mode != "truncate":
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        answer = self.server.answer
        pieces = [answer[start : start + 3] for start in range(0, len(answer), 3)]
        for number, piece in enumerate(pieces):
            if number == 3 and self.server.mode in {"disconnect", "truncate"}:
                return
            self._event(model, {"role": "assistant", "content": piece}, None)
        self._event(model, {}, "stop")
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, model: str, delta: dict[str, str], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        event = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
        self._write(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(data if self.server.mode == "truncate" else b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class OpenAIServer(ChatServer):
    """Answers in server-sent events.

    Attributes:
        answer: Streamed in pieces of three characters.
        mode: "ok", "unauthorized", "rate_limit", "broken", "disconnect", "truncate" or "slow".
        requests: The JSON bodies received.
        keys: The API keys received.
    """

    handler = _Handler

    def __init__(self) -> None:
        super().__init__()
        self.answer = "벽지가 들뜨면 다시 붙입니다. [1]"
        self.mode = "ok"
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []


def running() -> AbstractContextManager[OpenAIServer]:
    """Serves on a free port of this machine for the length of a block."""
    return serving(OpenAIServer())
