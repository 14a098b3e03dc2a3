"""What a group must be for a knowledge base to hold it and a file to give it back."""

from data.text import MAX_ANSWER_CHARS, MAX_QUESTION_CHARS, unfit_character
from data.types import QAGroup


def group_problem(group: QAGroup) -> str:
    """Returns why no base may hold a group, and the mend; empty where one may."""
    if not group.id.strip() or group.id != group.id.strip():
        return "an id must not be empty or begin or end with a space"
    if len(group.id.splitlines()) > 1:
        return "an id must stand on one line"
    if not group.questions or not group.answers:
        return "needs a question and an answer"
    if not any(char.isalnum() for question in group.questions for char in question):
        return "a question holds no letter or digit; ask it in words"
    if not all(question.strip() for question in group.questions):
        return "a question is empty"
    if not all(answer.strip() for answer in group.answers):
        return "an answer is empty"
    if len(set(group.questions)) < len(group.questions) or len(set(group.answers)) < len(group.answers):
        return "a question or an answer stands in it twice"
    short = (group.id, *group.questions, group.category, group.source)
    for text, most in [(text, MAX_QUESTION_CHARS) for text in short] + [
        (text, MAX_ANSWER_CHARS) for text in group.answers
    ]:
        if len(text) > most:
            return f"a text has {len(text):,} characters; shorten it to at most {most:,}"
        if unfit := unfit_character(text):
            return f"holds the character {unfit}, which is not text; remove it"
    return ""
