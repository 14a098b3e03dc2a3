"""Joins single questions into the compound ones that people send: two questions in one message, two answers in one.

Seeded and deterministic. Groups that nearly repeat one another are never joined, and a held-out group is joined with
held-out ones only, so that nothing learnt from the joins of one side tells of the other. Knows no morphology: it picks
wordings that can be joined by how they end, and leaves a wording alone that already holds two sentences.
"""

import random
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Literal, NamedTuple, TypeVar

from data.catalog import message
from data.errors import InputError
from data.split import near_duplicates
from data.types import QAGroup

_T = TypeVar("_T")
Register = Literal["casual", "polite"]
JoinStyle = Literal["connective", "none", "comma", "missing_break", "relation"]

_STYLES: tuple[tuple[JoinStyle, int], ...] = (
    ("connective", 50),
    ("none", 16),
    ("relation", 12),
    ("missing_break", 8),
    ("comma", 14),
)
"""Styles and their weights. Wordings that a style does not fit are joined by a connective, so that more than three
quarters of the joins hold one (78% of the starter base's): most real compound questions do."""

_CONNECTIVES: dict[Register, tuple[tuple[str, int], ...]] = {
    "polite": (("또한", 6), ("그리고", 6), ("또", 2), ("더불어", 2), ("아울러", 2), ("추가로", 3), ("한편", 1)),
    "casual": (("그리고", 6), ("글고", 4), ("또", 2), ("추가로", 1)),
}
_SAME_REGISTER = 0.75
"""Share of joins whose two questions speak in one register; people rarely change it within a message."""

_ASPECTS = "방법|이유|원인|차이점|차이|장단점|장점|단점|특징|순서|종류|기준|역할|용도|절차|주의사항|주의점|요령"
_POLITE = re.compile(r"(?:요|죠|니다|니까|십시오|세요)[\s?.!~ㅠㅜ]*$")
_ASKS = re.compile(r"(?:[나까가니냐야죠돼해래지음됨함]|[나가까]요|죠|인지|는지|뭐|어때)$")
_VISIBLY_ASKS = re.compile(
    r"(?:[나까]요|[가은는인]가요|니까|나여|세요|궁금합니다|궁금해요?|알고 싶(?:습니다|어요?)"
    rf"|(?:{_ASPECTS}|법)|알려\s?(?:줘|주세요)|(?:뭐|무엇|어느|어떤|어떻게|어떡|왜|언제|얼마|누가|어디|몇)\S*(?:\s\S+){{0,4}})$"
)
"""A symptom alone ("벽지가 울어요") is no question beside another one; it reads as what leads up to it."""
_MARKED = re.compile(r"[?!.]\s*$")
_MARKS = " ?!.~,"
_SEVERAL = re.compile(r"[?!.]+\s+[^\s?!.~ㅠㅜㅋㅎ;]|[?!][^\s?!.~ㅠㅜㅋㅎ;]|[,\s](?:또한|그리고|글고|아울러)[,\s]|\n")
_POINTS_AWAY = re.compile(r"^(?:이거|그거|이게|그게|이건|그건|여기|거기|이럴|그럴|이렇|그렇|혹시 이)")
_POLITE_QUESTION = re.compile(r"(?:나요|가요|까요|니까)$")

_NAMED = re.compile(
    rf"^(?P<phrase>.{{4,}}(?:{_ASPECTS}))(?:은|는|이|가|을|를|도)?\s*(?:좀\s*)?"
    r"(?:무엇(?:인가요|입니까|일까요)|뭔가요|뭐야|뭐예요|뭐에요|알려\s?(?:줘|주세요)|궁금(?:해|해요|합니다)"
    r"|설명해\s?(?:줘|주세요)|문의\s?드립니다)?$"
)
_INQUIRY = re.compile(r"지\s?문의\s?드립니다[\s.!]*$")
"""Reads as a statement about an inquiry; no splitter is sure that a question ends here."""

_CLAUSE = (
    (re.compile(r"(?<=무엇)인가요$|(?<=얼마)인가요$|(?<=언제)인가요$"), "이고"),
    (re.compile(r"(?<=[하되])나요$"), "고"),
)
_OWN_TOPIC = re.compile(r"\S{2,}[은는] (?:\S+ ){0,3}?(?:무엇|어떻게|왜|얼마|어떤|어디|언제|몇|뭐|어느)")
_QUESTION_WORD = re.compile(r"무엇|어떻게|왜|얼마|어떤|어디|언제|몇|뭐|어느|뭘|누가|(?:방법|법|이유|원인|차이)$")
_WHETHER = ((re.compile(r"인가요$"), "인지"), (re.compile(r"(?<=[되하있없뜨기생])나요$"), "는지"))
_TWO_NAMED = re.compile(rf"(?:{_ASPECTS})[와과] |(?:무엇|어떻게|왜|얼마|어떤|어디|언제|몇|뭐|어느)")
_LONGEST_WHETHER = 28
_RUNS_ON = re.compile(
    r",|(?:나요|까요|가요|어요|아요|니까|세요|죠|[은는인던]데|지만|거든|길래|려고|할려면)[\s?!.]|[가-힣](?:니|냐|아님)\s"
)
"""More than one sentence before the end, which no noun phrase holds: "보수할 수 있나요, 교체해야 하는지"."""
_SECOND_PREDICATE = re.compile(r"(?:[가-힣](?:고|며|면|려면|어서|아서|해서|져서|거나|도록|자마자|다가)|[가-힣]지)\s")


@dataclass(frozen=True, slots=True)
class JoinedQuestion:
    """Two questions in one message.

    Attributes:
        id: Digest of the question and the groups.
        question: The message.
        parts: Both questions as they stand in the message, in its order.
        group_ids: The groups they come from, in the same order.
        answers: Both parts' answers as one text, each under its part, in the form in which answers are shown; as many
            as the smaller group has.
        style: How they were joined.
        connective: The word between them, or empty.
        registers: How each part speaks.
        held_out: Whether both groups are held out.
        category: The groups' categories.
        source: Where the groups come from.
    """

    id: str
    question: str
    parts: tuple[str, str]
    group_ids: tuple[str, str]
    answers: tuple[str, ...]
    style: JoinStyle
    connective: str
    registers: tuple[Register, Register]
    held_out: bool
    category: str
    source: str


class JoinResult(NamedTuple):
    """The joins, those of held-out groups last, and notes about what could not be joined."""

    joined: tuple[JoinedQuestion, ...]
    notes: tuple[str, ...]


class _Wording(NamedTuple):
    text: str
    register: Register


class _Text(NamedTuple):
    question: str
    parts: tuple[str, str]
    connective: str


def join_groups(
    groups: Sequence[QAGroup],
    *,
    count: int | None = None,
    seed: int = 0,
    held_out: Collection[str] = (),
    links: Iterable[tuple[str, str]] = (),
) -> JoinResult:
    """Joins pairs of groups, every group about as often as any other.

    Args:
        groups: Groups with distinct ids.
        count: Number of joins, shared between held-out and other groups by their numbers; one a group by default.
        seed: The same groups, count and seed give the same joins on every machine.
        held_out: Ids of held-out groups; they are joined among themselves.
        links: Further pairs of ids that must not be joined, such as the near pairs of an audit. Pairs with an id
            that is in no group, as a whole file's have for a part of it, are counted in a note.

    Raises:
        InputError: A held-out id, or every link, is unknown, or no two groups can be joined.
    """
    ids = {group.id for group in groups}
    unknown = sorted(set(held_out) - ids)
    if unknown:
        raise InputError(f"held-out id {unknown[0]!r} is in no group ({len(unknown)} unknown); give ids of the file")
    usable = {group.id: wordings for group in groups if (wordings := _joinable(group))}
    notes = []
    if len(usable) < len(groups):
        notes.append(f"{len(groups) - len(usable)} groups have no wording that can be joined")
    links = tuple(links)
    strange = [pair for pair in links if not ids.issuperset(pair)]
    if strange:
        lost = next(name for name in strange[0] if name not in ids)
        told = f"{len(strange)} of {len(links)} links name an id that is in no group, first: {lost!r}"
        if len(strange) == len(links):
            raise InputError(f"{told}; give pairs of ids of the file")
        notes.append(told)
    wanted = len(groups) if count is None else count
    forbidden = {frozenset(pair) for pair in (*near_duplicates(groups), *links)}
    joined: list[JoinedQuestion] = []
    for is_held_out in (False, True):
        side = [group for group in groups if (group.id in held_out) == is_held_out]
        share = round(wanted * len(side) / max(1, len(groups)))
        made = _join_side(
            [group for group in side if group.id in usable], usable, forbidden, share, seed, held_out=is_held_out
        )
        joined += made
        if len(made) < share:
            name = "held-out groups" if is_held_out else "groups"
            notes.append(f"only {len(made)} of {share} joins can be made from {len(side)} {name}")
    if not joined and wanted:
        raise InputError(f"no two of {len(groups)} groups can be joined; each needs a question of one sentence")
    return JoinResult(tuple(joined), tuple(notes))


# ---- choosing ------------------------------------------------------------------------------------------------------


def _join_side(
    groups: Sequence[QAGroup],
    wordings: dict[str, tuple[_Wording, ...]],
    forbidden: Collection[frozenset[str]],
    count: int,
    seed: int,
    *,
    held_out: bool,
) -> list[JoinedQuestion]:
    chance = random.Random(f"{seed}/{held_out}")  # noqa: S311 - a reproducible draw, not a secret
    made: dict[str, JoinedQuestion] = {}
    fruitless = 0
    while len(made) < count and fruitless < 20:
        order = list(groups)
        chance.shuffle(order)
        before = len(made)
        for first, second in zip(order[::2], order[1::2], strict=False):
            if len(made) == count:
                break
            if frozenset((first.id, second.id)) not in forbidden:
                join = _join(first, second, wordings, chance, held_out=held_out)
                made.setdefault(join.question, join)
        fruitless = fruitless + 1 if len(made) == before else 0
    return list(made.values())


def _join(
    first: QAGroup,
    second: QAGroup,
    wordings: dict[str, tuple[_Wording, ...]],
    chance: random.Random,
    *,
    held_out: bool,
) -> JoinedQuestion:
    one = chance.choice(wordings[first.id])
    others = wordings[second.id]
    if chance.random() < _SAME_REGISTER:
        others = tuple(wording for wording in others if wording.register == one.register) or others
    two = chance.choice(others)
    style = _drawn(_STYLES, chance)
    if style == "relation":
        one, two = (_named(wordings[group.id]) or drawn for group, drawn in ((first, one), (second, two)))
    text = _WRITERS[style](one, two, chance)
    if text is None:
        style = "connective"
        text = _with_connective(one, two, chance)
    answers = tuple(_marked(text.parts, pair) for pair in zip(first.answers, second.answers, strict=False))
    digest = blake2s("\x1f".join((text.question, first.id, second.id)).encode(), digest_size=5).hexdigest()
    return JoinedQuestion(
        id=f"join-{digest}",
        question=text.question,
        parts=text.parts,
        group_ids=(first.id, second.id),
        answers=answers,
        style=style,
        connective=text.connective,
        registers=(one.register, two.register),
        held_out=held_out,
        category=" + ".join(dict.fromkeys(name for name in (first.category, second.category) if name)),
        source=" + ".join(dict.fromkeys(name for name in (first.source, second.source) if name)),
    )


def _joinable(group: QAGroup) -> tuple[_Wording, ...]:
    """Returns the wordings that are one sentence and name what they ask about."""
    return tuple(
        _Wording(text.strip(), "polite" if _POLITE.search(text) else "casual")
        for text in group.questions
        if len(text) >= 6
        and _asks(text)
        and not any(pattern.search(text.strip()) for pattern in (_SEVERAL, _POINTS_AWAY, _INQUIRY))
    )


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?") or bool(_VISIBLY_ASKS.search(text.rstrip(_MARKS)))


def _marked(parts: tuple[str, str], answers: tuple[str, str]) -> str:
    """Renders two answers as one, each under its part, as an answer to a compound question is shown."""
    return "\n\n".join(
        f"{message('answer.part_heading', number=number, question=part)}\n{answer}"
        for number, (part, answer) in enumerate(zip(parts, answers, strict=True), 1)
    )


def _drawn(weighted: Sequence[tuple[_T, int]], chance: random.Random) -> _T:
    return chance.choices([item for item, _ in weighted], [weight for _, weight in weighted])[0]


# ---- writing -------------------------------------------------------------------------------------------------------


def _with_connective(one: _Wording, two: _Wording, chance: random.Random) -> _Text:
    word = _drawn(_CONNECTIVES[two.register], chance)
    first = _closed(one.text)
    bare = one.text.rstrip(_MARKS)
    # A yes-or-no question without its mark is a statement until it is spoken.
    if (
        one.register == "casual"
        and word in ("그리고", "글고")
        and _QUESTION_WORD.search(bare)
        and chance.random() < 0.5
    ):
        first = bare
    comma = chance.random() < (0.3 if two.register == "casual" else 0.7)
    return _Text(f"{first} {word}{',' if comma else ''} {two.text}", (first, two.text), word)


def _without_connective(one: _Wording, two: _Wording, _chance: random.Random) -> _Text:
    first = _closed(one.text)
    return _Text(f"{first} {two.text}", (first, two.text), "")


def _with_comma(one: _Wording, two: _Wording, _chance: random.Random) -> _Text | None:
    """Joins two questions as clauses of one sentence: "…은 무엇이고, …은 어떻게 하나요?"."""
    first = one.text.rstrip(_MARKS)
    for ending, clause in _CLAUSE:
        if ending.search(first) and _QUESTION_WORD.search(first) and _OWN_TOPIC.search(two.text):
            first = ending.sub(clause, first)
            return _Text(f"{first}, {two.text}", (first, two.text), "")
    return None


def _without_break(one: _Wording, two: _Wording, chance: random.Random) -> _Text | None:
    bare = one.text.rstrip(_MARKS)
    first = _closed(one.text)
    if first.endswith("?") and chance.random() < 0.5:
        word = _drawn(_CONNECTIVES["polite"][:2], chance)
        return _Text(f"{first}{word}, {two.text}", (first, two.text), word)
    if not (_POLITE_QUESTION.search(bare) and _QUESTION_WORD.search(bare)):
        return None
    return _Text(f"{bare} {two.text}", (bare, two.text), "")


def _as_relation(one: _Wording, two: _Wording, _chance: random.Random) -> _Text | None:
    """Joins two questions mechanically: "…하는 방법과 …하는 이유의 관계는 무엇인가요?"."""
    first, second = _nominal(one.text), _nominal(two.text)
    if not first or not second:
        return None
    return _Text(f"{first}{_and(first)} {second}의 관계는 무엇인가요?", (first, second), "")


_WRITERS: dict[JoinStyle, Callable[[_Wording, _Wording, random.Random], _Text | None]] = {
    "connective": _with_connective,
    "none": _without_connective,
    "comma": _with_comma,
    "missing_break": _without_break,
    "relation": _as_relation,
}


def _closed(text: str) -> str:
    """Returns a question with a closing mark."""
    if _MARKED.search(text):
        return text.rstrip()
    bare = text.rstrip(_MARKS)
    return f"{bare}{'?' if _ASKS.search(bare) else '.'}"


def _nominal(question: str) -> str:
    """Turns a question into a noun phrase, or returns "": "…하는 이유는 무엇인가요?" becomes "…하는 이유".

    A clause ("…이 무엇인지") is made of short questions with one predicate only: of longer ones nobody asks a relation.
    """
    bare = question.rstrip(_MARKS)
    if _RUNS_ON.search(bare):
        return ""
    if named := _NAMED.match(bare):
        return "" if _TWO_NAMED.search(named["phrase"]) else named["phrase"]
    if len(bare) <= _LONGEST_WHETHER and not _SECOND_PREDICATE.search(bare):
        for ending, replacement in _WHETHER:
            if ending.search(bare):
                return ending.sub(replacement, bare)
    return ""


def _named(wordings: Sequence[_Wording]) -> _Wording | None:
    """Returns the first wording that already is a noun phrase: it reads better in a relation than a clause does."""
    named = (wording for wording in wordings if _NAMED.match(wording.text.rstrip(_MARKS)) and _nominal(wording.text))
    return next(named, None)


def _and(phrase: str) -> str:
    """Returns "과" after a final consonant, "와" otherwise."""
    last = ord(phrase[-1]) - 0xAC00
    return "과" if 0 <= last < 11_172 and last % 28 else "와"
