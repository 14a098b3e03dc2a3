"""A process that forks a fresh run for each line it is sent, so that killing one does not cost loading LangChain anew.

Reads {"journal", "out", "url", "count"} as JSON lines; answers with the child's process id, and once it has ended with
its exit status.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import langchain_openai  # noqa: F401 - loaded once, before the forks

from data.types import QAGroup
from data.writers import write_atomically
from index.encoders.base import HashEncoder
from training.augment.budget import Budget, BudgetLimits
from training.augment.chat import ChatSettings, LangChainChat
from training.augment.filters import Filters
from training.augment.journal import Journal
from training.augment.run import AugmentSettings, augment, journal_settings
from training.augment.thresholds import Thresholds

BASE = (QAGroup("b1", ("벽지가 왜 들뜨나요?", "벽지 들뜸 이유"), ("풀이 덜 말라 들뜹니다.",)),)
THRESHOLDS = Thresholds(agreement=0.2, answerability=-1.0, duplicate=0.97)


def work(journal: str, out: str, url: str, count: int) -> None:
    settings = AugmentSettings(count=count, parallel=3)
    encoder = HashEncoder()
    chat = LangChainChat(ChatSettings("openai:scripted", base_url=url, timeout=0.6, attempts=8, first_wait=0.01))
    fixed = journal_settings(BASE, (), chat.name, encoder.fingerprint, settings)
    with Journal(Path(journal), fixed) as record:
        outcome = augment(
            BASE,
            None,
            chat=chat,
            filters=Filters(BASE, (), encoder, THRESHOLDS),
            journal=record,
            budget=Budget(BudgetLimits(), record.tokens()),
            settings=settings,
        )
    if outcome.stopped:
        raise outcome.stopped
    write_atomically(Path(out), "".join(json.dumps(group, ensure_ascii=False) + "\n" for group in outcome.groups))


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    _say("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(**json.loads(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _say(child)
        _say(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
