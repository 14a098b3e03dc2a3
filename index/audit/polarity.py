"""Questions that ask for one side of a matter while their twin, or the answers, speak of the other.

The sides are words: merits and faults, what one may and may not do, should and should not. Yes-or-no questions are
left alone ("써도 되나요?" and "쓰면 안 되나요?" ask the same thing); only questions that take a side for granted count.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from data.types import QAGroup
from index.audit.evidence import Evidence, Fact
from index.audit.findings import Finding, shortened
from index.audit.raw import RawFile

Side = Literal[1, -1]

_OPEN_QUESTION = re.compile(r"뭐|무엇|뭔|무슨|어떤|왜|이유|까닭|어떻게|언제|알려|설명|말해|점[은이을]|것[은이을들]")
_NEGATED = r"(?!(?:이|은|도)?\s*(?:없|아니|거의 없))"


@dataclass(frozen=True, slots=True)
class Axis:
    """Two opposite sides and the words for them.

    Attributes:
        name: Shown in the evidence.
        plus: Words of the one side.
        minus: Words of the other side.
        both: Words that mean both sides at once.
        opposite: A word of either side -> its opposite with the same final consonant, so that particles still fit.
        in_answers: Whether answers that use only one side's words are speaking of that side. Advice always mixes
            "do" and "do not", so should-words say nothing there.
    """

    name: str
    plus: re.Pattern[str]
    minus: re.Pattern[str]
    both: re.Pattern[str]
    opposite: dict[str, str]
    in_answers: bool

    def sides(self, text: str) -> frozenset[Side]:
        """Returns the sides a text speaks of."""
        found: set[Side] = set()
        if self.both.search(text):
            found |= {1, -1}
        if self.plus.search(text):
            found.add(1)
        if self.minus.search(text):
            found.add(-1)
        return frozenset(found)

    def turned(self, text: str) -> str:
        """Returns a text with each side's words turned into their opposites; empty where a word has none."""
        words = sorted(self.opposite, key=len, reverse=True)
        if not words:
            return ""
        pattern = re.compile("|".join(_spaced(word) for word in words))
        changed = pattern.sub(lambda match: self.opposite[_key(match[0], words)], text)
        return changed if changed != text else ""


def _spaced(word: str) -> str:
    guard = "(?<![가-힣])" if word == "이점" else ""
    return guard + re.escape(word).replace(r"\ ", r"\s?")


def _key(found: str, words: list[str]) -> str:
    return next(word for word in words if word.replace(" ", "") == "".join(found.split()))


MERITS = Axis(
    name="장점/단점",
    plus=re.compile(
        rf"(?:장점|(?<![가-힣])이점|강점|메리트|(?<!안)(?<!안\s)좋은\s?점|유리한\s?점|나은\s?점){_NEGATED}"
    ),
    minus=re.compile(rf"(?:단점|문제점|약점|결점|나쁜\s?점|안\s?좋은\s?점|불리한\s?점|불편한\s?점){_NEGATED}"),
    both=re.compile(r"장단점|장·단점|장/단점"),
    opposite={
        "장점": "단점",
        "단점": "장점",
        "이점": "문제점",
        "문제점": "이점",
        "강점": "약점",
        "약점": "강점",
        "결점": "장점",
        "안 좋은 점": "좋은 점",
        "좋은 점": "나쁜 점",
        "나쁜 점": "좋은 점",
        "유리한 점": "불리한 점",
        "불리한 점": "유리한 점",
        "불편한 점": "편리한 점",
    },
    in_answers=True,
)
ABILITY = Axis(
    name="가능/불가능",
    plus=re.compile(r"(?<!불)가능한\s(?:이유|까닭|경우|곳|벽|재료|때)|수\s?있는\s(?:이유|까닭|경우|곳|벽|재료|때)"),
    minus=re.compile(
        r"(?:불가능한|수\s?없는|못\s?하는|안\s?되는)\s(?:이유|까닭|경우|곳|벽|재료|때)|왜\s.*(?:수\s?없|못\s?하|안\s?되|불가능)"
    ),
    both=re.compile(r"가능\s?여부|가능한지\s?불가능한지"),
    opposite={"불가능한": "가능한", "가능한": "불가능한", "수 있는": "수 없는", "수 없는": "수 있는"},
    in_answers=False,
)
DUTY = Axis(
    name="해야/하지 말아야",
    plus=re.compile(r"(?:해야|써야|둬야|발라야|골라야|지켜야)\s?(?:하는|할|되는|될)"),
    minus=re.compile(r"(?:지\s?말아야|지\s?않아야|면\s?안\s?되는|면\s?안\s?될|해서는\s?안|피해야)"),
    both=re.compile(r"해야\s?할\s?것과\s?하지\s?말아야"),
    opposite={"하지 말아야": "해야"},
    in_answers=False,
)
AXES = (MERITS, ABILITY, DUTY)

_YES_NO = re.compile(
    r"(?:가능한가요|가능해요?|되나요|돼요?|될까요?|되죠|괜찮나요|괜찮을까요?|수\s?있나요|수\s?있어요?)\s*\??$"
)
_YES = re.compile(r"^(?:네|예)[,.\s]|^(?:가능합니다|괜찮습니다|됩니다)")
_NO = re.compile(r"^(?:아니요|아니오|안 됩니다|불가능합니다|불가합니다)")


class Clash(NamedTuple):
    """A text that stands against its group.

    Attributes:
        kind: What the text is.
        text: The text.
        evidence: What it stands against.
        suggestion: The mend, or empty.
    """

    kind: Literal["question", "answer"]
    text: str
    evidence: Evidence
    suggestion: str = ""


def find_polarity_clashes(file: RawFile) -> Iterator[Finding]:
    """Reports each question that stands against its twin or its answers, and answers that say yes and no."""
    for group in file.result.groups:
        for clash in clashes_in(group):
            field = file.field_of(group.id, clash.kind, clash.text)
            yield Finding(group.id, "polarity", field, clash.evidence, clash.suggestion)


def clashes_in(group: QAGroup) -> Iterator[Clash]:
    """Yields each question of a group that stands against its twin or its answers, and answers that say yes and no."""
    for axis in AXES:
        yield from _clashes(group, axis)
    yield from _verdicts(group)


def _clashes(group: QAGroup, axis: Axis) -> Iterator[Clash]:
    asked = {
        question: axis.sides(question) if _OPEN_QUESTION.search(question) else frozenset()
        for question in group.questions
    }
    one_sided = {sides for sides in asked.values() if len(sides) == 1}
    said = _said_by_answers(group, axis) if axis.in_answers else None
    for question, sides in asked.items():
        twin_differs = len(sides) == 1 and len(one_sided) == 2
        if twin_differs and (said is None or sides != {said}):
            seen: Fact = "twin_differs" if said is None else "twin_and_answers_differ"
        elif said is not None and len(sides) == 1 and sides != {said}:
            seen = "answers_differ"
        elif said is not None and len(sides) == 2 and frozenset({said}) in one_sided:
            seen = "half_answered"
        else:
            continue
        mended = _mended(question, sides, said, axis)
        texts = shortened(question), *_others(group, question), shortened(group.answers[0], 80)
        yield Clash(
            "question",
            question,
            Evidence.of(seen, *texts, axis=axis.name),
            f"replace: {mended}" if mended else "",
        )


def _said_by_answers(group: QAGroup, axis: Axis) -> Side | None:
    """The side most answers speak of alone while none speaks of the other alone; None where there is no such side."""
    sides = [axis.sides(answer) for answer in group.answers]
    counts = {side: sum(found == {side} for found in sides) for side in (1, -1)}
    for side in (1, -1):
        if counts[side] * 2 >= len(sides) and not counts[-side]:
            return 1 if side == 1 else -1
    return None


_BOTH_NAMED = re.compile(r"장점(?:과|이나|및|,|\s및|와)\s*단점|단점(?:과|이나|및|,|\s및|와)\s*장점|장단점")


def _mended(question: str, sides: frozenset[Side], said: Side | None, axis: Axis) -> str:
    """Returns a question as one for the side that the answers know; empty where that cannot be."""
    if said is None:
        return ""
    if len(sides) == 1:
        return axis.turned(question)
    changed = _BOTH_NAMED.sub("장점" if said == 1 else "단점", question) if axis is MERITS else question
    return changed if changed != question else ""


def _verdicts(group: QAGroup) -> Iterator[Clash]:
    if not any(_YES_NO.search(question) for question in group.questions):
        return
    yes = [answer for answer in group.answers if _YES.search(answer)]
    no = [answer for answer in group.answers if _NO.search(answer)]
    if yes and no:
        fewer = min((yes, no), key=len)[0]
        other = (no if fewer in yes else yes)[0]
        yield Clash("answer", fewer, Evidence.of("yes_and_no", shortened(fewer, 60), shortened(other, 60)))


def _others(group: QAGroup, question: str) -> list[str]:
    """Returns a group's other questions on one line, if there are any."""
    others = " / ".join(other for other in group.questions if other != question)
    return [shortened(others, 100)] if others else []
