"""Splits one message into the independent questions it holds, by rules over Kiwi's morphemes.

Three steps: cut wherever a question may end; tell what each piece is, a question or mere context; put back together
what does not stand alone. A piece stands alone when it brings subject matter of its own: a noun that is neither an
aspect anybody may ask of anything ("비용", "해결 방법") nor a pointer to what an earlier piece named ("이를").
Knows nothing about retrieval; costs one analysis of the message.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from index.korean import KoreanAnalyzer, korean_analyzer

if TYPE_CHECKING:
    from kiwipiepy import Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_QUOTES = "\"'“”‘’`"
_ENCLOSED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|'[^']*'|\([^)]*\)")

_AND_ALSO = r"(?:그리고|그리구|글고|글구|그러고|또한|아울러)(?:요(?=[\s,]))?(?:\s?보니까?)?"
_CONNECTIVE = re.compile(
    rf"(?:(?:아|음|어|자|참)[\s,.]+)?(?:{_AND_ALSO}(?:\s+또(?=[\s,]))?"
    r"|(?:또|더불어|추가로|추가적으로|한편|근데|그런데|하지만|반면에?|그럼|그러면|그렇다면|다음으로|마지막으로|끝으로"
    r"|하나 더|첫째|둘째|셋째"
    r"|그 ?(?:담|다음)(?:에|으로)?|[이그]와 (?:함께|더불어|별개로|별도로)|[이그] ?외에)(?=[\s,])|그럼(?!에))[\s,.~]*"
)
"""What may open a further question, and says nothing once that question stands alone."""

_JOINING = re.compile(rf"{_AND_ALSO}[\s,]")
"""Connectives that join whole questions even where no sentence visibly ended."""

_CONTINUES = re.compile(r"[\s,.]*(?:아니면|아님|혹은|또는|예를 ?들|예컨대|이를테면|가령|특히|구체적으로|즉|다시 말해)")
"""Openings that make a piece an alternative to, or an example of, the piece before."""

_PARTICLE_AFTER = re.compile(r"(?:와|과|이?랑|하고|의|이?라[고는며]|이?란)(?=[\s'\"“‘]|$)")
"""A particle right after a closing mark makes the "sentence" a quotation inside a longer one."""

_LONGEST_SENTENCE = 200
"""Morphemes past which a sentence is not searched for clauses: the search costs the square of its length."""

_ITEM = re.compile(r"(?:^|(?<=\s))(?:\d\s?[.)](?!\d)|[①-⑨])\s*")
_ANDS = _words("와 과 이랑 랑 하고")
_AND_ENDINGS = _words("고 며 으며 고요 구요")
_TOPIC_MARKS = _words("은 는 ᆫ 란 이란")
_COMPARING = _words("보다 대신 대비")
_RELATIONS = _words("관계 상관관계 연관 연관성 관련성 상관성")

_ASPECTS = _words(
    "방법 법 방식 방안 원인 이유 까닭 해결책 해결법 대책 대처법 예방법 제거법 사용법 관리법 보수법 시공법 요령 팁 "
    "꿀팁 절차 순서 단계 과정 장점 단점 장단점 특징 특성 성질 성능 기능 효과 역할 용도 종류 유형 차이 차이점 공통점 "
    "기준 조건 요건 주기 기간 시기 수명 비용 가격 단가 견적 주의점 주의사항 유의점 유의사항 사항 점 문제점 위험성 "
    "부작용 영향 의미 뜻 정의 개념 원리 여부 비 값"
)
"""Nouns that name what is asked about a thing, never the thing."""

_GLUED_ASPECTS = _ASPECTS - _words(
    "비용 가격 단가 비 값 견적 기간 시기 수명 주기 성능 기능 효과 영향 성질 특성 조건 단계 과정 점"
)
"""Aspects that make "A와 B의 관계" two glued questions; quantities and properties really do relate to each other."""

_GENERIC = _ASPECTS | _words(
    # What may be done to anything, or befall it
    "사용 이용 활용 적용 작업 시공 설치 교체 수리 보수 복구 복원 제거 처리 조치 대처 대응 해결 예방 방지 관리 유지 "
    "보관 점검 확인 검사 진단 판단 판별 구분 구별 선택 선정 결정 고려 유의 주의 준비 진행 시작 완료 발생 재발 악화 "
    "방치 건조 신청 접수 요청 신고 계산 구매 구입 의뢰 생략 추가 변경 변화 개선 보완 감소 증가 칠 인정 해당 포함 차단 "
    "반복 비교 관련 부담 보증 허가 허락 덧칠 청소 세척 뒤처리 마무리 규정 법령 법규 필요 가능 금지 "
    # What a thing has or is made of
    "재료 소재 재질 자재 도구 공구 장비 준비물 용품 요소 구성 규격 크기 두께 색 색상 비율 양 횟수 범위 증상 징후 현상 "
    "상태 상황 경우 관계 문제 위험 사례 예 예시 대안 물질 제품 물건 건 이점 목적 책임 부분 전체 일부 나머지 가지 종 "
    "위치 장소 곳 가격대 환경 건강 인체 "
    # When, how much, for whom
    "때 시 후 전 뒤 앞 중 이후 이전 이외 외 다음 나중 처음 동안 평소 보통 일반 기본 기존 주요 대표 최근 요즘 현재 "
    "실제 직접 혼자 셀프 시간 시점 하루 며칠 얼마 정도 평균 최대 최소 최적 적정 적절 적당 적합 이상 이하 미만 때문 "
    "덕분 초보 초보자 전문가 전문 업체 사람 자신 효율 자세 구체 특별 별도 유사 친환경 중요 안전 정상 반대 각각 각자 "
    "서로 전자 후자 참고 어케 어캐 "
    # Talk about talking
    "설명 소개 안내 추천 부탁 답변 대답 질문 문의 조언 도움 정보 상담 말 말씀 생각 안녕 진짜 감사"
)
"""Nouns that give a question no subject of its own: any thing has, undergoes or needs them."""

_GENERIC_ENDINGS = re.compile(r"\S\S(?:성|비|법|량|률|율)$")
"""Derived nouns of the same kind, which no list could hold: "내구성", "인건비", "시공법"."""

_REQUESTS = _words("알리 가르치 궁금하 궁금 설명 추천 부탁 소개 안내 조언 알려주")
_WANTED = _words("아이디어 조언 도움 정보 추천 팁")
"""What one may be said to need and mean a question: "아이디어가 필요해요"."""

_ANNOUNCED = _words("안녕 질문 문의 대답 답변 진짜 정말")
"""Nouns of opening chatter: a piece with no other noun leads up to the next question."""

_WH_DETERMINERS = _words("어떤 어느 무슨 몇 어떠한 웬")
_WH = _WH_DETERMINERS | _words(
    "무엇 뭐 머 뭣 무어 어디 언제 누구 얼마 얼마나 어떻 어떻게 왜 며칠 어케 어캐 어떡하 어찌 어쩌"
)

_POINTERS = _words("그것 이것 그거 이거 그게 이게 이곳 그곳 이들 이때 그때 그중 그대로 해당 각각 전자 후자 둘")
"""Words that point back when nothing before them in their own piece can be meant."""

_POINTED = _words("때 중 외 밖 후 곳 거 것")
"""What "이" and "그" may be written together with; "이물질" and "이설" are other words."""

_POINTING_STEMS = _words("그렇 이렇 이러 그러 그런 이런 이러한 그러한")

_ASKING_ENDS = re.compile(r"(?:나|까|가|냐|니|나여|는지|ᆫ지|은지|을지|ᆯ지)요?$|(?:니까)$")
_TELLING_ENDS = re.compile(r"(?:다|네요|군요|거든요|라고요|대요|ᆫ대요|래요)$")
_TOLD = re.compile(r"(?:얼마|며칠|몇\s?\S+) ?(?:전|째|동안|후)|어느 ?날|여러|왠지|뭔가|언젠가|어딘가")
"""Question words that ask nothing: "얼마 전에", "며칠째"."""

_NOUNS = frozenset(("NNG", "NNP", "SL", "SH", "W_SERIAL"))
_NOMINAL = _NOUNS | frozenset(("NNB", "NR", "NP", "SN", "XSN", "XPN", "XR", "JKG", "JC"))
_SECOND_TERM = (_NOMINAL - {"JKG"}) | {"MM", "SP"}
"""What follows "와" when it joins two nouns, rather than comparing an unnamed thing with one."""

_VERBAL = ("VV", "VA", "VX", "XSV", "XSA", "VCP", "VCN")
_LIGHT_VERBS = _words("되 있 들 하 이 걸리")
_SYMBOLS = frozenset(("SF", "SE", "SP", "SO", "SW", "SSO", "SSC", "SS", "IC"))


@dataclass(frozen=True)
class _Piece:
    """A stretch of the message that may be a question, with the morphemes that lie in it."""

    start: int
    end: int
    tokens: tuple["Token", ...]
    run_on: bool = False
    """Cut from the piece before with neither a closing mark nor a line break between."""


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
    tokens = (analyzer or korean_analyzer()).tokens(text)
    groups: list[list[_Piece]] = []
    waiting: list[_Piece] = []  # context, which belongs to the question after it
    for piece in _pieces(text, tokens):
        waiting.append(piece)
        if not _asks(text, piece) or not (groups or any(map(_names_anything, waiting))):
            continue
        if groups and _leans(text, waiting, groups[-1][-1]):
            groups[-1] += waiting
        else:
            groups.append(waiting)
        waiting = []
    if not groups:
        return (text,)
    groups[-1] += waiting
    parts = [part for group in groups for part in _unglued(text, group)]
    return tuple(parts) if len(parts) > 1 else (text,)


# ---- cutting -------------------------------------------------------------------------------------------------------


def _pieces(text: str, tokens: Sequence["Token"]) -> Iterator[_Piece]:
    """Cuts a message wherever a question may end; too often is harmless, since what does not stand alone rejoins."""
    start, run_on = 0, False
    for end, next_run_on in (*_cuts(text, tokens), (len(text), False)):
        inside = tuple(token for token in tokens if start <= token.start < end)
        if any(token.tag not in _SYMBOLS for token in inside):
            yield from _clauses(_Piece(start, end, inside, run_on))
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
        if "\n" in gap or (_closes(tokens, i, gap) and not _PARTICLE_AFTER.match(text, end)):
            yield after.start, False
        elif gap and (_ends_sentence(tokens, i) or _JOINING.match(text, after.start)):
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
    polite = i > 0 and tokens[i].form in ("요", "여") and _attached(tokens, i)
    if polite:
        i -= 1
    token = tokens[i]
    if token.form == "좀":
        return _attached(tokens, i)
    # Kiwi takes some final endings for connective ones when no mark follows: "뭐야", "알려줘", "…인가요".
    if token.tag == "EC" and token.form in ("야", "어") and i > 1 and tokens[i - 1].form in ("이", "주"):
        return tokens[i - 2].form in _WH or _requests(tokens[max(0, i - 3) : i])
    return token.tag == "EF" or token.form.endswith(("나요", "가요", "까요")) or (polite and token.tag in ("EC", "JC"))


def _attached(tokens: Sequence["Token"], i: int) -> bool:
    """Whether a morpheme continues the word of the one before it."""
    return i > 0 and tokens[i - 1].start + tokens[i - 1].len >= tokens[i].start


def _clauses(piece: _Piece) -> Iterator[_Piece]:
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
    if _is_whether(token):
        return joined
    if token.tag == "EC" and after.tag != "VX":
        return token.form in _AND_ENDINGS
    return token.form in _ASPECTS and tokens[i - 1].tag == "ETM" and after.tag == "SP"


def _stands_beside(left: Sequence["Token"], right: Sequence["Token"]) -> bool:
    """Whether the second clause of a sentence asks about something the first does not name."""
    listed = left[-1].tag == "NNG" or left[-1].form == "법"  # two clauses that each end in "…하는 법"
    if not listed and not _question_words(left) and not _requests(left):
        return False
    if _points_back(right):
        return False
    named = {token.form for token in left if token.tag in _NOUNS}
    known = "".join(token.form for token in left)
    question = min(_question_words(right), default=len(right))
    fresh = [i for i in _topics(right) if i < question and right[i].form not in named and right[i].form not in known]
    if not fresh:
        return False
    if listed:
        return any(token.form in _ASPECTS for token in right[fresh[0] :])
    marked = right[fresh[0] : question]
    if any(token.tag == "JX" and token.form in _TOPIC_MARKS for token in marked):
        return True
    if any(token.form == "도" and token.tag == "JX" for token in marked):
        return _requests(left) and _requests(right)
    return _asks_outright(left) and any(token.tag in ("JKS", "JKO") for token in marked)


def _asks_outright(clause: Sequence["Token"]) -> bool:
    """Whether the question word is the predicate ("얼마이고", "어떤 것이 있고"), so that the question is complete."""
    last = max(_question_words(clause), default=len(clause))
    if last == len(clause):
        return _requests(clause)
    return all(token.form in _LIGHT_VERBS for token in clause[last + 1 :] if token.tag in ("VV", "VX", "XSV"))


# ---- reading -------------------------------------------------------------------------------------------------------


def _asks(text: str, piece: _Piece) -> bool:
    """Whether a piece is a question or a request rather than a statement."""
    tokens = list(piece.tokens)
    if "?" in text[tokens[-1].start : piece.end] or any(token.form.startswith("?") for token in tokens[-3:]):
        return True
    while tokens and (tokens[-1].tag in _SYMBOLS or tokens[-1].tag in ("JX", "JC") or tokens[-1].form == "요"):
        tokens.pop()
    if not tokens:
        return False
    if _requests(tokens):
        return True
    last = tokens[-1]
    if last.tag in ("EF", "EC") and _ASKING_ENDS.search(last.form):
        return True
    told = [match.span() for match in _TOLD.finditer(text, piece.start, piece.end)]
    asked = any(not any(left <= tokens[i].start < right for left, right in told) for i in _question_words(tokens))
    if last.tag == "EF":
        return asked and not _TELLING_ENDS.search(last.form) and all(token.form != "모르" for token in tokens[-4:])
    return asked or any(token.form in _ASPECTS or token.form in ("좀", "가능") for token in tokens[-5:])


def _is_whether(token: "Token") -> bool:
    """Whether a morpheme ends an embedded question: "무엇인지", "되는지"."""
    return token.form.endswith("지") and token.tag in ("EC", "NNB")


def _requests(tokens: Sequence["Token"]) -> bool:
    """Whether a clause ends in a request: "알려주세요", "궁금합니다", "알고 싶어요"."""
    tail = tokens[-10:]
    for i, token in enumerate(tail):
        if token.form in _REQUESTS and not any(later.tag == "ETM" for later in tail[i + 1 : i + 4]):
            return True
        if token.form == "알" and any(later.form == "싶" for later in tail[i:]):
            return True
        if token.form in _WANTED and any(later.form == "필요" for later in tail[i:]):
            return True
    return False


def _names_anything(piece: _Piece) -> bool:
    return any(token.tag in _NOUNS and token.form not in _ANNOUNCED for token in piece.tokens)


def _question_words(tokens: Sequence["Token"]) -> list[int]:
    return [i for i, token in enumerate(tokens) if token.form in _WH and not token.tag.startswith(("J", "E"))]


def _topics(tokens: Sequence["Token"]) -> list[int]:
    """Returns where a piece names subject matter of its own, in order."""
    beside = _beside_the_point(tokens)
    return [
        i
        for i, token in enumerate(tokens)
        if token.tag in _NOUNS and not _is_generic(token) and token.form not in _WH and i not in beside
    ]


def _beside_the_point(tokens: Sequence["Token"]) -> set[int]:
    """Returns where the nouns lie that are named without being what the question is about."""
    beside: set[int] = set()
    yes_or_no = not _question_words(tokens) and not _requests(tokens)
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        adverbial = before is not None and before.tag == "JKB"
        if token.form in _WH_DETERMINERS and token.tag == "MM":
            # "어떤 공간에 쓰나요?": what is asked for, not what it is asked of; but "어떤 소화기가 있나요?"
            phrase = _noun_phrase(tokens, i + 1, step=1)
            subject, verb = (*(t.form for t in tokens[i + 1 + len(phrase) :][:2]), "", "")[:2]
            if not (subject in ("이", "가") and verb == "있"):
                beside.update(phrase)
        elif token.form in _ANDS and after is not None and (after.tag not in _SECOND_TERM or after.form == "비교"):
            # "내단열과의 차이", "내단열과 어떻게 다른가요": the same without its first term
            beside.update(_noun_phrase(tokens, i - 1, step=-1))
        elif token.form == "비하" or (token.form in _COMPARING and token.tag in ("JKB", "NNG")):
            # "일반 시공에 비해": what the unnamed thing is compared with
            beside.update(_noun_phrase(tokens, i - 1 - adverbial, step=-1))
        elif token.form == "도" and token.tag == "JX" and yes_or_no:
            # "욕실에도 되나요?" asks the same of another thing
            beside.update(_noun_phrase(tokens, i - 1 - adverbial, step=-1))
        elif token.tag == "VCP" and yes_or_no and before is not None and before.tag in _NOUNS:
            # "누수인가요?" offers an answer to what was asked before
            beside.update(_noun_phrase(tokens, i - 1, step=-1)[:2])
        elif before is not None and (
            (token.tag == "XSN" and token.form == "성")  # "통기성": a quality, split by Kiwi
            or (token.tag == "SL" and before.tag in ("SN", "MM"))  # "몇 mm"
        ):
            beside.update((i - 1, i))
    return beside


def _is_generic(token: "Token") -> bool:
    return token.form in _GENERIC or (token.tag == "NNG" and bool(_GENERIC_ENDINGS.match(token.form)))


def _noun_phrase(tokens: Sequence["Token"], i: int, step: int) -> list[int]:
    """Returns the positions of the nominal morphemes that run from `i` in one direction."""
    phrase = []
    while 0 <= i < len(tokens) and (tokens[i].tag in _NOMINAL or tokens[i].form == "또는"):
        phrase.append(i)
        i += step
    return phrase


def _points_back(tokens: Sequence["Token"]) -> bool:
    """Whether a piece holds a word such as "이를" that nothing before it in the piece explains."""
    explained = predicated = False
    for i, token in enumerate(tokens):
        if _is_pointer(tokens, i) and not (explained and predicated):
            return True
        explained |= token.tag in _NOUNS and not _is_generic(token)
        predicated |= token.tag.split("-")[0] in _VERBAL or token.tag == "JC"
    return False


def _is_pointer(tokens: Sequence["Token"], i: int) -> bool:
    token = tokens[i]
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if token.form in _POINTERS or token.form in _POINTING_STEMS:
        return True
    if token.form in ("이", "그"):
        if token.tag == "NP":
            return True
        if _attached(tokens, i):
            return False
        apart = after is not None and (after.start > token.start + token.len or after.form in _POINTED)
        return token.tag == "MM" and apart
    if token.form in ("두", "세", "각") and token.tag == "MM" and after is not None:  # "두 재료", "각 방법"
        return not _attached(tokens, i + 1) and after.form in _GENERIC
    return i == 0 and token.form in ("위", "앞") and after is not None and after.form in ("의", *_GENERIC)


def _leans(text: str, unit: Sequence[_Piece], before: _Piece) -> bool:
    """Whether a question, with its context, cannot be understood without the question before it."""
    start, end = unit[0].start, unit[-1].end
    opening = _CONNECTIVE.match(text, start, end)
    if opening:
        start = opening.end()
    if _CONTINUES.match(text, start, end):
        return True
    tokens = [token for piece in unit for token in piece.tokens if token.start >= start]
    while tokens and tokens[-1].tag in _SYMBOLS:
        tokens.pop()
    if _points_back(tokens) or not _topics(tokens) or _is_bare_topic(tokens):
        return True
    return unit[0].run_on and not opening and _same_predicate(tokens, before.tokens)


def _is_bare_topic(tokens: Sequence["Token"]) -> bool:
    """Whether a piece only names another thing: "거실은요?"."""
    if any(token.tag.split("-")[0] in _VERBAL or token.form in _ASPECTS for token in tokens):
        return False
    return any(token.tag == "JX" and token.form in ("은", "는", "ᆫ", "도") for token in tokens[-2:])


def _same_predicate(tokens: Sequence["Token"], before: Sequence["Token"]) -> bool:
    """Whether two yes-or-no questions share their predicate, and so offer a choice between things."""
    if any(_question_words(side) or _requests(side) for side in (tokens, before)):
        return False
    last, earlier = (
        [token.form for token in side if token.tag.split("-")[0] in _VERBAL and token.form != "하"][-2:]
        for side in (tokens, before)
    )
    return last == earlier


# ---- writing -------------------------------------------------------------------------------------------------------


def _unglued(text: str, group: Sequence[_Piece]) -> Iterator[str]:
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
    related = max((i for i, token in enumerate(tokens) if token.form in _RELATIONS), default=0)
    tail = related - 1
    while tail > 0 and (tokens[tail].form in ("사이", "간", "서로", "어떤", "무슨") or tokens[tail].tag == "SP"):
        tail -= 1
    if tail < 1 or not (tokens[tail].tag == "JKG" or tokens[tail].form in ("은", "는", "이", "가")):
        return None
    found = [
        (tokens[i - 1].tag in _NOUNS, i)
        for i in range(1, tail)
        if tokens[i].form in _ANDS and tokens[i].tag in ("JC", "JKB", "IC")
        if _is_question(tokens[:i]) and _is_question(tokens[i + 1 : tail])
        if _topics(tokens[i + 1 : tail]) and not _points_back(tokens[i + 1 : tail])
    ]
    return (min(found)[1], tail) if found else None


def _is_question(tokens: Sequence["Token"]) -> bool:
    """Whether a noun phrase is a question in disguise: "…하는 방법", "…은 무엇인지"."""
    last = next((i for i in reversed(range(len(tokens))) if tokens[i].tag not in (*_SYMBOLS, "JX")), None)
    if last is None:
        return False
    if tokens[last].tag in ("EF", "EC") or _is_whether(tokens[last]):
        return bool(_question_words(tokens)) or _is_whether(tokens[last])
    return tokens[last].form in _GLUED_ASPECTS and bool(_topics(tokens[:last]))


def _trimmed(text: str, start: int, end: int, tokens: Sequence["Token"]) -> str:
    """Returns a part without its connectives and dangling marks."""
    for token in reversed(tokens):
        if token.tag not in ("SP", "JC") and (token.form, token.tag) != ("요", "MM"):
            break
        end = min(end, token.start)
    part = _ITEM.sub("", text[start:end].strip(" ,\n\t"), count=1)
    opening = _CONNECTIVE.match(part)
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
