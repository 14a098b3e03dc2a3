"""A question that leans on the one before it, such as "그럼 어떻게 없애나요?", is asked together with it."""

from data.errors import QuestionError
from data.text import MAX_QUESTION_CHARS, check_question
from rag.decompose import decompose


def continued(asked: str, before: str | None) -> str:
    """Returns the question to be answered.

    Whether it leans is what `rag.decompose` finds when both stand in one message as questions: then it does not part
    them.

    Args:
        asked: The question as typed.
        before: The question answered before it, as it was answered; None for the first.
    """
    if before is None or len(before) + len(asked) >= MAX_QUESTION_CHARS:
        return asked
    try:
        # With question marks: a bare statement would count as the context of whatever stands beside it.
        first, second = _as_question(before), _as_question(asked)
    except QuestionError:  # Refused where it is answered, in words.
        return asked
    earlier = decompose(first)
    if len(decompose(f"{first}\n{second}")) != len(earlier) + len(decompose(second)) - 1:
        return asked
    return f"{earlier[-1]}\n{asked.strip()}"


def _as_question(text: str) -> str:
    return f"{check_question(text).rstrip(' .!?~ㅠㅜㅎㅋ')}?"
