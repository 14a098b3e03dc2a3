"""The words of a whole group, for the indexes over groups: the same when a base is built and when it is edited."""

from data.types import QAGroup
from index.korean import jamo_ngrams, word_heads


def answer_ngrams(group: QAGroup) -> list[list[str]]:
    """Returns the jamo n-grams of each answer."""
    return [jamo_ngrams(answer) for answer in group.answers]


def group_heads(group: QAGroup) -> list[str]:
    """Returns the word heads of the questions and the answers."""
    return [head for text in (*group.questions, *group.answers) for head in word_heads(text)]
