"""A question that leans on the one before it, such as "그럼 어떻게 없애나요?", is asked together with it."""

from data.errors import QuestionError
from data.text import MAX_QUESTION_CHARS, check_question
from rag.decompose import decompose


def continued(asked: str, before: str | None) -> str:
    """Returns the question to be answered.

    Whether it leans is what `rag.decompose` finds when both stand in one message: then it does not part them.

    Args:
        asked: The question as typed.
        before: The question answered before it, as it was answered; None for the first.
    """
    if before is None or len(before) + len(asked) >= MAX_QUESTION_CHARS:
        return asked
    try:
        # With its question mark: a bare statement would count as the context of whatever comes after it.
        before = f"{check_question(before).rstrip(' .!?')}?"
        earlier, later = decompose(before), decompose(check_question(asked))
    except QuestionError:  # Refused where it is answered, in words.
        return asked
    both = decompose(f"{before}\n{asked.strip()}")
    if len(both) != len(earlier) + len(later) - 1:
        return asked
    return "\n".join(both[len(earlier) - 1 :])
