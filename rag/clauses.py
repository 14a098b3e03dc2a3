"""Reads one clause of a message off its morphemes: whether it asks, what it is about, whether it points back.

Looks at a single piece at a time; knows nothing about how a message is cut into pieces or how these are rejoined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag import question_words as words

if TYPE_CHECKING:
    from kiwipiepy import Token

NOUNS = frozenset(("NNG", "NNP", "SL", "SH", "W_SERIAL"))
_NOMINAL = NOUNS | frozenset(("NNB", "NR", "NP", "SN", "XSN", "XPN", "XR", "JKG", "JC"))
_SECOND_TERM = (_NOMINAL - {"JKG"}) | {"MM", "SP"}
"""What follows "와" when it joins two nouns, rather than comparing an unnamed thing with one."""

VERBAL = ("VV", "VA", "VX", "XSV", "XSA", "VCP", "VCN")
SYMBOLS = frozenset(("SF", "SE", "SP", "SO", "SW", "SSO", "SSC", "SS", "IC"))


@dataclass(frozen=True)
class Piece:
    """A stretch of the message that may be a question, with the morphemes that lie in it."""

    start: int
    end: int
    tokens: tuple["Token", ...]
    run_on: bool = False
    """Cut from the piece before with neither a closing mark nor a line break between."""


def asks(text: str, piece: Piece) -> bool:
    """Whether a piece is a question or a request rather than a statement."""
    tokens = list(piece.tokens)
    if "?" in text[tokens[-1].start : piece.end] or any(token.form.startswith("?") for token in tokens[-3:]):
        return True
    while tokens and (tokens[-1].tag in SYMBOLS or tokens[-1].tag in ("JX", "JC") or tokens[-1].form == "요"):
        tokens.pop()
    if not tokens:
        return False
    if requests(tokens):
        return True
    last = tokens[-1]
    if last.tag in ("EF", "EC") and words.ASKING_ENDS.search(last.form):
        return True
    told = [match.span() for match in words.TOLD.finditer(text, piece.start, piece.end)]
    asked = any(not any(left <= tokens[i].start < right for left, right in told) for i in find_question_words(tokens))
    asked = asked or bool(words.MISSPELT_WH.search(text, piece.start, piece.end))
    if last.tag == "EF":
        # "머 붙여야대요" is "뭐 붙여야 돼요", and tells nothing.
        tells = words.TELLING_ENDS.search(last.form) and not (len(tokens) > 1 and tokens[-2].form in ("어야", "아야"))
        return asked and not tells and all(token.form != "모르" for token in tokens[-4:])
    return asked or any(token.form in words.ASPECTS or token.form in ("좀", "가능") for token in tokens[-5:])


def is_whether(token: "Token") -> bool:
    """Whether a morpheme ends an embedded question: "무엇인지", "되는지"."""
    return token.form.endswith("지") and token.tag in ("EC", "NNB")


def requests(tokens: Sequence["Token"]) -> bool:
    """Whether a clause ends in a request: "알려주세요", "궁금합니다", "알고 싶어요"."""
    tail = tokens[-10:]
    for i, token in enumerate(tail):
        if token.form in words.REQUESTS and not any(later.tag == "ETM" for later in tail[i + 1 : i + 4]):
            return True
        if token.form == "알" and any(later.form == "싶" for later in tail[i:]):
            return True
        if token.form == "문의" and i > 1:
            # "원인을 문의드립니다" and "왜 그런지 문의드립니다" ask; "도배 하자를 문의드립니다" only opens a message.
            what = tail[i - 2] if tail[i - 1].tag == "JKO" else tail[i - 1]
            if what.form in words.ASPECTS or is_whether(what):
                return True
        if token.form in words.WANTED and any(later.form == "필요" for later in tail[i:]):
            return True
    return False


def names_anything(piece: Piece) -> bool:
    """Whether a piece has a noun besides those of opening chatter."""
    return any(token.tag in NOUNS and token.form not in words.ANNOUNCED for token in piece.tokens)


def find_question_words(tokens: Sequence["Token"]) -> list[int]:
    """Returns where a piece has question words, in order."""
    return [i for i, token in enumerate(tokens) if token.form in words.WH and not token.tag.startswith(("J", "E"))]


def find_topics(tokens: Sequence["Token"]) -> list[int]:
    """Returns where a piece names subject matter of its own, in order."""
    beside = _beside_the_point(tokens)
    return [
        i
        for i, token in enumerate(tokens)
        if token.tag in NOUNS and not _is_generic(token) and token.form not in words.WH and i not in beside
    ]


def _beside_the_point(tokens: Sequence["Token"]) -> set[int]:
    """Returns where the nouns lie that are named without being what the question is about."""
    beside: set[int] = set()
    yes_or_no = not find_question_words(tokens) and not requests(tokens)
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        adverbial = before is not None and before.tag == "JKB"
        if token.form in words.WH_DETERMINERS and token.tag == "MM":
            # "어떤 공간에 쓰나요?": what is asked for, not what it is asked of; but "어떤 소화기가 있나요?"
            phrase = _noun_phrase(tokens, i + 1, step=1)
            subject, verb = (*(t.form for t in tokens[i + 1 + len(phrase) :][:2]), "", "")[:2]
            if not (subject in ("이", "가") and verb == "있"):
                beside.update(phrase)
        elif token.form in words.ANDS and after is not None and (after.tag not in _SECOND_TERM or after.form == "비교"):
            # "내단열과의 차이", "내단열과 어떻게 다른가요": the same without its first term
            beside.update(_noun_phrase(tokens, i - 1, step=-1))
        elif token.form == "비하" or (token.form in words.COMPARING and token.tag in ("JKB", "NNG")):
            # "일반 시공에 비해": what the unnamed thing is compared with
            beside.update(_noun_phrase(tokens, i - 1 - adverbial, step=-1))
        elif token.form == "도" and token.tag == "JX" and yes_or_no:
            # "욕실에도 되나요?" asks the same of another thing
            beside.update(_noun_phrase(tokens, i - 1 - adverbial, step=-1))
        elif token.tag == "VCP" and yes_or_no and before is not None and before.tag in NOUNS:
            # "누수인가요?" offers an answer to what was asked before
            beside.update(_noun_phrase(tokens, i - 1, step=-1)[:2])
        elif before is not None and (
            (token.tag == "XSN" and token.form == "성")  # "통기성": a quality, split by Kiwi
            or (token.tag == "SL" and before.tag in ("SN", "MM"))  # "몇 mm"
        ):
            beside.update((i - 1, i))
    return beside


def _is_generic(token: "Token") -> bool:
    return token.form in words.GENERIC or (token.tag == "NNG" and bool(words.GENERIC_ENDINGS.match(token.form)))


def _noun_phrase(tokens: Sequence["Token"], i: int, step: int) -> list[int]:
    """Returns the positions of the nominal morphemes that run from `i` in one direction."""
    phrase = []
    while 0 <= i < len(tokens) and (tokens[i].tag in _NOMINAL or tokens[i].form == "또는"):
        phrase.append(i)
        i += step
    return phrase


def points_back(tokens: Sequence["Token"]) -> bool:
    """Whether a piece holds a word such as "이를" that nothing before it in the piece explains."""
    explained = predicated = False
    for i, token in enumerate(tokens):
        if _is_pointer(tokens, i) and not (explained and predicated):
            return True
        explained |= token.tag in NOUNS and not _is_generic(token)
        predicated |= token.tag.split("-")[0] in VERBAL or token.tag == "JC"
    return False


def _is_pointer(tokens: Sequence["Token"], i: int) -> bool:
    token = tokens[i]
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if token.form in words.POINTERS or token.form in words.POINTING_STEMS:
        return True
    if token.form in ("이", "그"):
        if token.tag == "NP":
            return True
        if is_attached(tokens, i):
            return False
        apart = after is not None and (after.start > token.start + token.len or after.form in words.POINTED)
        return token.tag == "MM" and apart
    if token.form in ("두", "세", "각") and token.tag == "MM" and after is not None:  # "두 재료", "각 방법"
        return not is_attached(tokens, i + 1) and after.form in words.GENERIC
    return i == 0 and token.form in ("위", "앞") and after is not None and after.form in ("의", *words.GENERIC)


def is_attached(tokens: Sequence["Token"], i: int) -> bool:
    """Whether a morpheme continues the word of the one before it."""
    return i > 0 and tokens[i - 1].start + tokens[i - 1].len >= tokens[i].start
