"""A small OpenAI-compatible server that answers from a script, with the bad days of a real one in between.

What it says is a function of the prompt alone, so that an interrupted run and an uninterrupted one are told the same
things; what goes wrong is a function of the request's number.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from zlib import crc32

from tests.chat_server import ChatHandler, ChatServer, serving

Script = Callable[[str, int], str]
"""(the first user message, how often it was asked before) -> the reply's text."""

_THINGS = [
    *("방화문", "몰탈", "욕조", "줄눈", "우레탄", "샷시", "중문", "파티션", "루버", "금속천장", "흡음판", "방진고무"),
    *("배수트랩", "환풍기", "점검구", "유리블록", "단열필름", "조적벽", "에폭시", "인조잔디", "데크", "난간", "캐노피"),
    *("차양", "덕트", "소화전", "맨홀", "트렌치", "방충망", "도어락", "경첩", "손잡이", "빨래건조대", "수전", "세면기"),
    *("양변기", "비데", "선반", "커튼박스", "블라인드"),
]
_ASPECTS = (
    ("{0} {1} 틈 왜 생겨", "{0}, {1} 사이에 틈이 왜 생기나요?", "{0} 둘레와 {1}의 재료가 달라 틈이 생깁니다"),
    ("{1} 없이 {0} 달아도 돼", "{1} 없이 {0} 설치가 가능한가요?", "{0} 설치는 {1} 없이도 가능합니다"),
    ("{0} {1} 청소 며칠마다 해", "{0}하고 {1} 청소는 며칠마다 하나요?", "{0}, {1} 청소는 한 달에 한 번이면 넉넉합니다"),
)
_ENDINGS = ("", " 먼저 상태를 봅니다.", " 작업 전에 치웁니다.", " 잘 모르면 업체에 묻습니다.", " 마른 뒤 다시 봅니다.")


def _item(topic: str, number: int) -> tuple[str, str, str]:
    """The two wordings of a topic's question, and what every answer to it begins with."""
    other = _THINGS[crc32(f"{topic}{number}".encode()) % len(_THINGS)]
    casual, polite, answer = (text.format(topic, other) for text in _ASPECTS[number])
    return casual, polite, answer


_SAID = {polite: answer for topic in _THINGS for _, polite, answer in (_item(topic, number) for number in range(3))}


def korean_script(message: str, _times: int) -> str:
    """Topics, three questions a topic, and five answers that agree, some of which a filter must refuse."""
    if "키워드" in message and '{"keywords"' in message:
        used = message.partition("빼세요: ")[2].partition("\n")[0]
        fresh = [thing for thing in _THINGS if thing not in used]
        return json.dumps({"keywords": fresh[:8]}, ensure_ascii=False)
    if '{"items"' in message:
        thing = re.search(r'"([^"]+)"에 대해', message)
        topic = thing[1] if thing else "벽지"
        items = [{"questions": list(_item(topic, number)[:2]), "category": "기타"} for number in range(3)]
        return f"물론입니다!\n```json\n{json.dumps({'items': items}, ensure_ascii=False)}\n```"
    question = re.search(r"질문: (.+)", message)
    asked = question[1] if question else ""
    if crc32(asked.encode()) % 7 == 0:
        return json.dumps({"answers": ["As an expert I would rather answer in English today."] * 5})
    said = _SAID.get(asked, "현장마다 다르므로 상태를 먼저 살핍니다")
    return json.dumps({"answers": [f"{said}.{ending}" for ending in _ENDINGS]}, ensure_ascii=False)


class _Handler(ChatHandler):
    server: "ScriptedServer"

    def do_POST(self) -> None:  # noqa: N802 (the base class names it so)
        body = self.body()
        message = body["messages"][1]["content"]  # the first request, also where a bad reply is asked for again
        with self.server.guard:
            times = self.server.requests.count(message)
            self.server.requests.append(message)
            self.server.bodies.append(body)
            trouble = self.server.trouble_of(len(self.server.requests))
        time.sleep(self.server.delay)
        match trouble:
            case "401" | "500":
                self.fail(int(trouble), "no")
            case "429":
                self.fail(429, "slow down", "rate_limit_exceeded")
            case "quota":
                self.fail(429, "quota", "insufficient_quota")
            case "timeout":
                time.sleep(1.5)
                self.close_connection = True
            case "disconnect":
                self.send_json(200, self._completion(body, self.server.script(message, times), "stop"), cut=True)
            case "refuse":
                self.send_json(200, self._completion(body, "죄송합니다. 그 요청은 도와드릴 수 없습니다.", "stop"))
            case "html":
                self.send_html()
            case "bad_json":
                text = self.server.script(message, times)
                self.send_json(200, self._completion(body, text[: len(text) // 2], "length"))
            case _:
                self.send_json(200, self._completion(body, self.server.script(message, times), "stop"))

    def send_html(self) -> None:
        """Sends what a web server of another kind would."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "13")
        self.end_headers()
        self.wfile.write(b"<html></html>")

    def _completion(self, body: dict[str, Any], text: str, finish: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        completion = {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
        if self.server.usage:
            asked = sum(len(message["content"]) for message in body["messages"]) // 2
            completion["usage"] = {
                "prompt_tokens": asked,
                "completion_tokens": len(text) // 2,
                "total_tokens": asked + len(text) // 2,
            }
        return completion


class ScriptedServer(ChatServer):
    """Answers without streaming.

    Attributes:
        script: What is said.
        troubles: Number of a request, from 1 -> "429", "quota", "500", "401", "timeout", "disconnect", "refuse", "html"
            or "bad_json"; `every` repeats the table after so many requests.
        every: Length of the table of troubles; 0 plays it once.
        delay: Seconds before each reply.
        usage: Whether replies name their tokens.
        requests: The first user messages received.
        bodies: The whole requests.
    """

    handler = _Handler

    def __init__(self) -> None:
        super().__init__()
        self.script: Script = korean_script
        self.troubles: dict[int, str] = {}
        self.every = 0
        self.delay = 0.0
        self.usage = True
        self.requests: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.guard = threading.Lock()

    def trouble_of(self, number: int) -> str:
        return self.troubles.get((number - 1) % self.every + 1 if self.every else number, "")


def running() -> AbstractContextManager[ScriptedServer]:
    """Serves on a free port of this machine for the length of a block."""
    return serving(ScriptedServer())
