"""Reads what a sentence claims off its morphemes: the things it names, its amounts, and what it affirms or denies.

Looks at one text at a time; says nothing about what supports what.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from index.korean import korean_analyzer

if TYPE_CHECKING:
    from kiwipiepy import Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_THINGS = frozenset(("NNG", "NNP", "SL", "SH", "W_SERIAL", "XR"))
_AMOUNTS = frozenset(("SN", "NR"))
_NUMERALS = _words("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 한두 두세 서너 너댓 대여섯 예닐곱 십여 몇 여러 절반 반")
_DENYING = ("않", "말", "못하", "못")
_LIGHT = _words("하 되 이 있 없 주 보 싶 같 지 들 가 오 두 놓 나 내 쓰 시키 받 위하 대하 따르 통하 의하")
"""Predicates that say little alone; whether they are denied still counts where the sources use them too."""

_NEVER_COMPARED = _words("하 이 있 없 주 보 싶 같")
_FRAMING = _words(
    "때 경우 다음 먼저 우선 처음 이후 이전 뒤 전 후 중 것 점 수 방법 이유 원인 방식 정도 부분 상태 필요 도움 "
    "예방 말 말씀 안내 설명 답변 질문 사용 가능 생각 주의 확인 다만 또한 그리고 따라서"
)
"""Words that frame a statement and add nothing to it."""

_DEGREES = _words("더 덜 안 못 빨리 천천히 서서히 바로 미리 나중 절대 반드시 항상 자주 가끔 많이 조금")
"""Adverbs that change what is claimed."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a text claims.

    Attributes:
        things: Nouns and foreign words.
        amounts: Numbers and numerals.
        degrees: Adverbs that matter.
        predicates: Stems of verbs, adjectives and what something is called, each with whether it is denied.
    """

    things: frozenset[str]
    amounts: frozenset[str]
    degrees: frozenset[str]
    predicates: frozenset[tuple[str, bool]]


@lru_cache(maxsize=4096)
def read_claims(text: str) -> Claims:
    """Reads the claims of a text."""
    tokens = korean_analyzer().tokens(text)
    things = {t.form for t in tokens if t.tag in _THINGS and t.form not in _NUMERALS}
    amounts = {t.form for t in tokens if t.tag in _AMOUNTS or (t.tag in ("MM", "NNG") and t.form in _NUMERALS)}
    degrees = {t.form for t in tokens if t.tag == "MAG" and t.form in _DEGREES - {"안", "못"}}
    predicates = {found for place in range(len(tokens)) if (found := _predicate(tokens, place))}
    return Claims(frozenset(things), frozenset(amounts), frozenset(degrees), frozenset(predicates))


def unknown_things(sentence: Claims, source: Claims, source_text: str) -> set[str]:
    """Returns the things a sentence names and a source does not; a compound is known by its parts standing there."""
    return {
        thing
        for thing in sentence.things - source.things - _FRAMING
        if thing not in source_text and not any(thing.startswith(known) for known in source.things if len(known) > 1)
    }


def unknown_predicates(sentence: Claims, source: Claims, source_text: str) -> set[str]:
    """Returns the stems of a sentence that a source does not use; "흔하" is known by a word such as "흔히"."""
    known = {stem for stem, _ in source.predicates} | source.things
    words = source_text.split()
    return {
        stem
        for stem, _ in sentence.predicates
        if stem not in known
        and stem not in _LIGHT | _FRAMING
        and not (len(stem) > 1 and any(word.startswith(stem[:-1]) for word in words))
    }


def contradicted(sentence: Claims, source: Claims) -> set[str]:
    """Returns the stems that a sentence affirms and a source only denies, or the other way round."""
    known: dict[str, set[bool]] = {}
    for stem, denied in source.predicates:
        known.setdefault(stem, set()).add(denied)
    return {stem for stem, denied in sentence.predicates if stem in known and denied not in known[stem]}


def _predicate(tokens: Sequence["Token"], place: int) -> tuple[str, bool] | None:
    token = tokens[place]
    tag = token.tag.split("-")[0]
    before = tokens[place - 1] if place else None
    if tag in ("VCP", "VCN"):
        # What something is or is not: "이상이 아니며" denies "이상".
        noun = next((t for t in reversed(tokens[max(0, place - 2) : place]) if t.tag in _THINGS), None)
        return (noun.form, tag == "VCN") if noun else None
    if tag in ("XSV", "XSA"):
        stem = before.form if before is not None and before.tag in _THINGS else ""
        before = tokens[place - 2] if place > 1 else None
    elif tag in ("VV", "VA"):
        stem = token.form
    else:
        return None
    if not stem or stem in _NEVER_COMPARED:
        return None
    return stem, _denied(tokens, place, before)


def _denied(tokens: Sequence["Token"], place: int, before: "Token | None") -> bool:
    if before is not None and before.tag == "MAG" and before.form in ("안", "못"):
        return True
    forms = [t.form for t in tokens[place + 1 : place + 6]]
    if forms[:1] == ["지"] and any(form in _DENYING for form in forms[1:3]):
        return True
    return "수" in forms[:3] and "없" in forms[forms.index("수") : forms.index("수") + 3]
