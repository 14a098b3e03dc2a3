"""Asks a model once for each task: what the journal holds is never asked, and never paid for, again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from data.types import Message
from training.augment.budget import Budget, BudgetSpentError, Meter
from training.augment.journal import Journal, Record
from training.augment.prompts import again_messages
from training.augment.schema import ChatModel, ReplyError, parse_reply, prompt_tokens, refuses

Reply = TypeVar("Reply", bound=BaseModel)


class Asker:
    """Puts a model, a budget and a journal together; safe to use from several threads.

    Args:
        chat: The model.
        journal: Where replies are looked up and recorded.
        budget: What is asked before every request.
    """

    def __init__(self, chat: ChatModel, journal: Journal, budget: Budget) -> None:
        self._chat = chat
        self._journal = journal
        self._budget = budget

    def ask(self, task: str, messages: Sequence[Message], model: type[Reply]) -> tuple[Reply | None, str]:
        """Asks a task unless the journal holds its reply; a reply that is not the JSON wanted is asked for once more.

        Returns:
            The reply, or None and the reason why there is none: "bad_json" or "refused".

        Raises:
            BudgetSpentError: The request could pass the budget.
            GenerationError: The provider cannot be used.
        """
        record = self._journal.replies.get(task)
        if record is None:
            record = self._asked(task, messages, model)
            self._journal.add_reply(record)
        if record["value"] is None:
            return None, str(record["problem"])
        return model.model_validate(record["value"]), ""

    def _asked(self, task: str, messages: Sequence[Message], model: type[Reply]) -> Record:
        estimated = False
        problem, detail = "", ""
        value: Any = None
        asked = tuple(messages)
        meter = Meter(self._budget, (0, 0))
        for _ in range(2):
            meter.worst = prompt_tokens(asked), self._chat.max_output_tokens
            try:
                reply = self._chat.reply(asked, meter)
            except BaseException as error:
                if problem and isinstance(error, BudgetSpentError):
                    break  # the first reply is paid for and bad; there is nothing left to mend it with
                if any(meter.spent):
                    self._journal.add_lost(task, meter.spent)
                raise
            estimated = estimated or reply.estimated or meter.unsure
            if refuses(reply):
                problem, detail = "refused", reply.text[:200]
                break
            try:
                value = parse_reply(reply.text, model).model_dump()
                problem, detail = "", ""
                break
            except ReplyError as error:
                detail = "the reply was cut off at the length limit" if reply.cut else str(error)
                problem = "bad_json"
                asked = again_messages(messages, reply.text, detail)
        return {
            "task": task,
            "value": value,
            "problem": problem,
            "detail": detail,
            "tokens": meter.spent,
            "estimated": estimated,
            "time": now(),
        }


def now() -> str:
    """Returns the time of day, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
