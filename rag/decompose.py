"""Splits one message into the independent questions it holds, by rules over Kiwi's morphemes.

Three steps: cut wherever a question may end; tell what each piece is, a question or mere context; put back together
what does not stand alone. A piece stands alone when it brings subject matter of its own: a noun that is neither an
aspect anybody may ask of anything ("비용", "해결 방법") nor a pointer to what an earlier piece named ("이를").
What a piece says is read in `rag.clauses`. Knows nothing about retrieval; costs one analysis of the message.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from index.korean import KoreanAnalyzer, korean_analyzer
from rag import question_words as words
from rag.clauses import (
    NOUNS,
    SYMBOLS,
    VERBAL,
    Piece,
    asks,
    find_question_words,
    find_topics,
    is_attached,
    is_whether,
    names_anything,
    points_back,
    requests,
)

if TYPE_CHECKING:
    from kiwipiepy import Token

_QUOTES = "\"'“”‘’`"
_ENCLOSED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|'[^']*'|\([^)]*\)")
_ITEM = re.compile(r"(?:^|(?<=\s))(?:\d\s?[.)](?!\d)|[①-⑨])\s*")

_MARKED_JOIN = re.compile(
    r"([^?]{4,}\?)[\"'”’]?\s*[와과]\s+"
    r"[\"'“‘]?([^?]{4,}\?)[\"'”’]?\s*의\s+(?:상관 ?)?관계(?:는|가|를|에)?(?:\s[^?]*)?\??"
)
"""Two questions glued together with their question marks kept: "…인가요?와 …인가요?의 관계는 무엇인가요?"."""

_LONGEST_SENTENCE = 200
"""Morphemes past which a sentence is not searched for clauses: the search costs the square of its length."""


def decompose(text: str, analyzer: KoreanAnalyzer | None = None) -> tuple[str, ...]:
    """Splits a message into questions that can each be answered alone.

    A follow-up that leans on the question before it, context and greetings stay with the question they belong to.

    Args:
        text: The message as the user wrote it.
        analyzer: Morphological analyser; the process-wide one by default.

    Returns:
        The questions in the order asked, each without the words that joined it to the others; the whole message,
        trimmed of white space and dangling quotes, when it holds a single question.
    """
    text = _unquoted(text)
    if marked := _MARKED_JOIN.fullmatch(text):
        return marked[1].strip(), marked[2].strip()
    tokens = (analyzer or korean_analyzer()).tokens(text)
    groups: list[list[Piece]] = []
    waiting: list[Piece] = []  # context, which belongs to the question after it
    for piece in _pieces(text, tokens):
        waiting.append(piece)
        if not asks(text, piece) or not (groups or any(map(names_anything, waiting))):
            continue
        if groups and _leans(text, waiting, groups[-1][-1]):
            groups[-1] += waiting
        else:
            groups.append(waiting)
        waiting = []
    if not groups:
        return (text,)
    if waiting and _is_further_matter(text, waiting, groups[-1][-1]):
        groups.append(waiting)
    else:
        groups[-1] += waiting
    parts = [part for group in groups for part in _unglued(text, group)]
    return tuple(parts) if len(parts) > 1 else (text,)


# ---- cutting -------------------------------------------------------------------------------------------------------


def _pieces(text: str, tokens: Sequence["Token"]) -> Iterator[Piece]:
    """Cuts a message wherever a question may end; too often is harmless, since what does not stand alone rejoins."""
    start, run_on = 0, False
    for end, next_run_on in (*_cuts(text, tokens), (len(text), False)):
        inside = tuple(token for token in tokens if start <= token.start < end)
        if any(token.tag not in SYMBOLS for token in inside):
            yield from _clauses(Piece(start, end, inside, run_on))
            start, run_on = end, next_run_on


def _cuts(text: str, tokens: Sequence["Token"]) -> Iterator[tuple[int, bool]]:
    """Yields (offset, whether the cut lacks a closing mark), in order."""
    items = [match.start() for match in _ITEM.finditer(text)]
    if len(items) > 1 and text[items[0]] in "1①":
        yield from ((item, False) for item in items if item)
        return
    enclosed = [match.span() for match in _ENCLOSED.finditer(text)]
    for i, (token, after) in enumerate(pairwise(tokens)):
        end = token.start + token.len
        gap = text[end : after.start]
        if after.tag in ("SF", "SE", "SSC") and not gap:
            continue
        if any(left < end < right for left, right in enclosed):
            continue
        if "\n" in gap or (_closes(tokens, i, gap) and not words.PARTICLE_AFTER.match(text, end)):
            yield after.start, False
        elif gap and token.tag == "SP" and i and tokens[i - 1].form.endswith(("나요", "가요", "까요", "까")):
            # A comma where a question mark was meant: "왜 생기나요, 벽지 종류는 뭐가 있나요?"
            yield after.start, True
        elif gap and (_ends_sentence(tokens, i) or words.JOINING.match(text, after.start)):
            yield after.start, True


def _closes(tokens: Sequence["Token"], i: int, gap: str) -> bool:
    """Whether a token is a closing mark, or the quote after one."""
    if tokens[i].tag == "SSC" and i and tokens[i].form in _QUOTES:
        return _closes(tokens, i - 1, gap)
    if tokens[i].tag not in ("SF", "SE"):
        return False
    return bool(gap) or tokens[i].form[0] in "?!" or (i > 0 and tokens[i - 1].tag in ("EF", "JX"))


def _ends_sentence(tokens: Sequence["Token"], i: int) -> bool:
    """Whether the word ending at a token ends a sentence that has no closing mark: "왜그래 글고", "추천좀 장판"."""
    while i > 0 and tokens[i].tag in ("SO", "SW"):
        i -= 1
    polite = i > 0 and tokens[i].form in ("요", "여") and is_attached(tokens, i)
    if polite:
        i -= 1
    token = tokens[i]
    if token.form == "좀":
        return is_attached(tokens, i)
    # Kiwi takes some final endings for connective ones when no mark follows: "뭐야", "알려줘", "…인가요".
    if token.tag == "EC" and token.form in ("야", "어") and i > 1 and tokens[i - 1].form in ("이", "주"):
        return tokens[i - 2].form in words.WH or requests(tokens[max(0, i - 3) : i])
    return token.tag == "EF" or token.form.endswith(("나요", "가요", "까요")) or (polite and token.tag in ("EC", "JC"))


def _clauses(piece: Piece) -> Iterator[Piece]:
    """Cuts a sentence between clauses that each ask about a thing of their own: "…은 무엇이고, …은 어떻게 하나요?"."""
    tokens = piece.tokens
    whole = len(tokens) > _LONGEST_SENTENCE or _glue(tokens) is not None
    for i in range(1, 1 if whole else len(tokens) - 1):
        cut = i + 1
        while cut < len(tokens) - 1 and tokens[cut].tag in ("SP", "JC", "JKB"):
            cut += 1
        if not _ends_clause(tokens, i, joined=cut > i + 1):
            continue
        left = replace(piece, end=tokens[cut].start, tokens=tokens[:cut])
        right = replace(piece, start=tokens[cut].start, tokens=tokens[cut:], run_on=True)
        if _stands_beside(left.tokens[: i + 1], right.tokens):
            yield left
            yield from _clauses(right)
            return
    yield piece


def _ends_clause(tokens: Sequence["Token"], i: int, *, joined: bool) -> bool:
    """Whether a clause that asks may end here; `joined` tells that a comma or "와" follows."""
    token, after = tokens[i], tokens[i + 1]
    if is_whether(token):
        return joined
    if token.tag == "EC" and after.tag != "VX":
        return token.form in words.AND_ENDINGS
    listing = after.tag == "SP" or (after.tag in ("JC", "JKB") and after.form in words.ANDS)
    return listing and token.form in words.ASPECTS and tokens[i - 1].tag in ("ETM", *NOUNS)


def _stands_beside(left: Sequence["Token"], right: Sequence["Token"]) -> bool:
    """Whether the second clause of a sentence asks about something the first does not name."""
    listed = left[-1].tag == "NNG" or left[-1].form == "법"  # two clauses that each end in "…하는 법"
    if not listed and not find_question_words(left) and not requests(left):
        return False
    if points_back(right):
        return False
    named = {token.form for token in left if token.tag in NOUNS}
    known = "".join(token.form for token in left)
    question = min(find_question_words(right), default=len(right))
    fresh = [
        i for i in find_topics(right) if i < question and right[i].form not in named and right[i].form not in known
    ]
    if not fresh:
        return False
    if right[0].form in words.LAST:
        return True
    if listed:
        return any(token.form in words.ASPECTS for token in right[fresh[0] :])
    marked = right[fresh[0] : question]
    if any(token.tag == "JX" and token.form in words.TOPIC_MARKS for token in marked):
        return True
    if any(token.form == "도" and token.tag == "JX" for token in marked):
        return requests(left) and requests(right)
    return _asks_outright(left) and any(token.tag in ("JKS", "JKO") for token in marked)


def _asks_outright(clause: Sequence["Token"]) -> bool:
    """Whether the question word is the predicate ("얼마이고", "어떤 것이 있고"), so that the question is complete."""
    last = max(find_question_words(clause), default=len(clause))
    if last == len(clause):
        return requests(clause)
    return all(token.form in words.LIGHT_VERBS for token in clause[last + 1 :] if token.tag in ("VV", "VX", "XSV"))


# ---- rejoining -----------------------------------------------------------------------------------------------------


def _leans(text: str, unit: Sequence[Piece], before: Piece) -> bool:
    """Whether a question, with its context, cannot be understood without the question before it."""
    start, end = unit[0].start, unit[-1].end
    opening = words.CONNECTIVE.match(text, start, end)
    if opening:
        start = opening.end()
    if words.CONTINUES.match(text, start, end):
        return True
    tokens = [token for piece in unit for token in piece.tokens if token.start >= start]
    while tokens and tokens[-1].tag in SYMBOLS:
        tokens.pop()
    if points_back(tokens) or not find_topics(tokens) or _is_bare_topic(tokens):
        return True
    return unit[0].run_on and not opening and _same_predicate(tokens, before.tokens)


def _is_further_matter(text: str, unit: Sequence[Piece], before: Piece) -> bool:
    """Whether what is stated after the last question is another matter: "… 그리고 실크벽지에 얼룩이 생겼어".

    Only what is joined by "그리고" and its like, and only what happened. What something is, how long ago it was,
    what is said of a topic, and thanks tell more of the question before: "그리고 저희 집은 1층이에요",
    "… 도배한 지 한 달 됐어요", "… 환기는 자주 해요".
    """
    joined = words.FURTHER.match(text, unit[0].start)
    if not joined or not any(map(names_anything, unit)) or _leans(text, unit, before):
        return False
    tokens = [token for piece in unit for token in piece.tokens if token.start >= joined.end()]
    if any((token.tag == "JX" and token.form in words.TOPIC_MARKS) or token.form in words.THANKS for token in tokens):
        return False
    predicates = [token for token in tokens if token.tag.split("-")[0] in VERBAL]
    return not (predicates and (predicates[-1].tag.startswith("VC") or predicates[-1].form in words.ELAPSING))


def _is_bare_topic(tokens: Sequence["Token"]) -> bool:
    """Whether a piece only names another thing: "거실은요?"."""
    if any(token.tag.split("-")[0] in VERBAL or token.form in words.ASPECTS for token in tokens):
        return False
    return any(token.tag == "JX" and token.form in ("은", "는", "ᆫ", "도") for token in tokens[-2:])


def _same_predicate(tokens: Sequence["Token"], before: Sequence["Token"]) -> bool:
    """Whether two yes-or-no questions share their predicate, and so offer a choice between things."""
    if any(find_question_words(side) or requests(side) for side in (tokens, before)):
        return False
    last, earlier = (
        [token.form for token in side if token.tag.split("-")[0] in VERBAL and token.form != "하"][-2:]
        for side in (tokens, before)
    )
    return last == earlier


# ---- writing -------------------------------------------------------------------------------------------------------


def _unglued(text: str, group: Sequence[Piece]) -> Iterator[str]:
    """Yields the text of a question, or of the two that "A와 B의 관계는 무엇인가요?" glues together."""
    tokens = [token for piece in group for token in piece.tokens]
    start, end = group[0].start, group[-1].end
    glue = _glue(tokens)
    if glue is None:
        yield _trimmed(text, start, end, tokens)
        return
    joint, tail = glue
    yield _trimmed(text, start, tokens[joint].start, tokens[:joint])
    yield _trimmed(text, tokens[joint].start + tokens[joint].len, tokens[tail].start, tokens[joint + 1 : tail])


def _glue(tokens: Sequence["Token"]) -> tuple[int, int] | None:
    """Finds the joint and the tail of a mechanical join: the positions of "와" and of "의 관계는 …"."""
    related = max((i for i, token in enumerate(tokens) if token.form in words.RELATIONS), default=0)
    tail = related - 1
    while tail > 0 and (tokens[tail].form in ("사이", "간", "서로", "어떤", "무슨") or tokens[tail].tag == "SP"):
        tail -= 1
    if tail < 1 or not (tokens[tail].tag == "JKG" or tokens[tail].form in ("은", "는", "이", "가")):
        return None
    found = [
        (tokens[i - 1].tag in NOUNS, i)
        for i in range(1, tail)
        if tokens[i].form in words.ANDS and tokens[i].tag in ("JC", "JKB", "IC")
        if _is_question(tokens[:i]) and _is_question(tokens[i + 1 : tail])
        if find_topics(tokens[i + 1 : tail]) and not points_back(tokens[i + 1 : tail])
    ]
    return (min(found)[1], tail) if found else None


def _is_question(tokens: Sequence["Token"]) -> bool:
    """Whether a noun phrase is a question in disguise: "…하는 방법", "…은 무엇인지"."""
    last = next((i for i in reversed(range(len(tokens))) if tokens[i].tag not in (*SYMBOLS, "JX")), None)
    if last is None:
        return False
    if tokens[last].tag in ("EF", "EC") or is_whether(tokens[last]):
        return bool(find_question_words(tokens)) or is_whether(tokens[last])
    return tokens[last].form in words.GLUED_ASPECTS and bool(find_topics(tokens[:last]))


def _trimmed(text: str, start: int, end: int, tokens: Sequence["Token"]) -> str:
    """Returns a part without its connectives and dangling marks."""
    for token in reversed(tokens):
        if token.tag not in ("SP", "JC") and (token.form, token.tag) != ("요", "MM"):
            break
        end = min(end, token.start)
    part = _ITEM.sub("", text[start:end].strip(" ,\n\t"), count=1)
    opening = words.CONNECTIVE.match(part)
    return _unquoted(part[opening.end() :] if opening else part)


def _unquoted(text: str) -> str:
    """Drops white space and the quotes at either end that enclose nothing or everything."""
    text = text.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES and not any(c in _QUOTES for c in text[1:-1]):
        return text[1:-1].strip()
    for quotes in ('"', "'", "`", "“”", "‘’"):
        if sum(text.count(quote) for quote in quotes) % 2:
            text = text.strip(quotes).strip()
    return text
