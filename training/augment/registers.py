"""Says a question in another register, 반말 or polite, by its last predicate: no model, the same result every time.

Kiwi takes the predicate apart and joins it again with another ending, vowel harmony and contraction included. Only the
last word changes; a question whose end is not understood is left alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from data.text import comparable
from data.types import QAGroup

if TYPE_CHECKING:
    from kiwipiepy import Kiwi, Token

Register = Literal["casual", "polite", "formal"]

_STEMS = ("VV", "VA", "VX", "VCP", "VCN", "XSV", "XSA")
_ASKING: dict[str, Register] = {
    **dict.fromkeys(
        ("나요", "ᆫ가요", "은가요", "는가요", "ᆯ까요", "을까요", "어요", "아요", "에요", "예요", "죠", "지요"), "polite"
    ),
    **dict.fromkeys(("습니까", "ᆸ니까"), "formal"),
    **dict.fromkeys(("어", "아", "야", "나", "니", "냐", "ᆫ가", "은가", "는가", "ᆯ까", "을까", "지"), "casual"),
}
_WONDERING = {"ᆯ까", "을까", "ᆯ까요", "을까요"}
_WONDER_ENDS: dict[Register, str] = {"casual": "ᆯ까", "polite": "ᆯ까요", "formal": "ᆯ까요"}


_ASKED = re.compile(r"왜|뭐|뭘|무엇|무슨|어떻|어떡|어케|어찌|어디|언제|얼마|누가|누구|어느|어떤|몇")
_EARLIER = re.compile(r"(?:나요|까요|가요|지요|죠|[습입합됩]니까)\s*(?:,|아니면|그리고|\s또)|[?？]")
"""A question before the last: its ending would stay as it is, and the two would be in different registers."""

_HAVE = re.compile(r"[있없]$")
"""Stems that are asked like a verb's, "있나요", though Kiwi takes them for adjectives."""

_AMBIGUOUS = {"어", "아", "야", "지"}
_SPOKEN = (("거인가요", "건가요"), ("거입니까", "겁니까"))
_FULL = {"이러": "이렇", "그러": "그렇", "어떠": "어떻"}
"""Short stems, which Kiwi cannot join with a vowel, and the full ones, which it can."""


class Variant(NamedTuple):
    """Another wording of a question."""

    text: str
    register: Register


def variants(question: str) -> tuple[Variant, ...]:
    """Returns a question in the registers it is not in; none where its ending is not understood."""
    core = question.rstrip(" ?!.~")
    tokens = _kiwi().tokenize(core)
    ending = _ending(tokens)
    if ending is None or _EARLIER.search(core):
        return ()
    stem_at, form, is_request = ending
    now = _register_of(form)
    if now is None or (is_request and "?" in question[len(core) :]):
        return ()
    if form in _AMBIGUOUS and not is_request and "?" not in question[len(core) :] and not _ASKED.search(core):
        return ()  # "반점이 올라와" tells; only its voice could make it ask
    start = _word_start(core, tokens, stem_at)
    first = next(i for i, token in enumerate(tokens) if token.start >= start)
    stem = [(token.form, token.tag.split("-")[0]) for token in tokens[first : stem_at + 1]]
    if [form for form, _ in stem] == ["왜", "이"]:
        return ()
    original = "".join(core[start:].split())
    if str(_kiwi().join([*stem, *_rest(tokens, stem_at)])).replace(" ", "") != original:
        return ()  # Kiwi read something into the word that does not stand there
    found = []
    for register in ("casual", "polite", "formal"):
        if register == now:
            continue
        word = _joined(stem, form, register, is_request=is_request)
        mark = "." if is_request and register != "casual" else "" if is_request else "?"
        text = f"{core[:start]}{word}{mark}"
        if word and comparable(text) != comparable(question):
            found.append(Variant(text, register))
    return tuple(found)


def with_registers(
    groups: Iterable[QAGroup], wanted: Sequence[Register] = ("casual", "polite")
) -> list[dict[str, Any]]:
    """Adds to each group one wording in every wanted register that none of its questions is in.

    Args:
        groups: Groups to vary.
        wanted: Registers every group should have.

    Returns:
        The groups as JSON objects; `provenance.registers` lists the wordings added and what each was made from.
    """
    rows = []
    for group in groups:
        present = {register_of(question) for question in group.questions}
        added: list[dict[str, str]] = []
        for register in wanted:
            if register in present:
                continue
            every = ((question, variant) for question in group.questions for variant in variants(question))
            made = ((question, variant.text) for question, variant in every if variant.register == register)
            known = {comparable(text) for text in (*group.questions, *(entry["text"] for entry in added))}
            fresh = next(((question, text) for question, text in made if comparable(text) not in known), None)
            if fresh:
                added.append({"text": fresh[1], "from": fresh[0], "register": register})
        grown = replace(group, questions=(*group.questions, *(entry["text"] for entry in added)))
        rows.append(asdict(grown) | ({"provenance": {"registers": added}} if added else {}))
    return rows


def register_of(question: str) -> Register | None:
    """Returns the register of a question's ending, or None where it is not understood."""
    ending = _ending(_kiwi().tokenize(question.rstrip(" ?!.~")))
    return _register_of(ending[1]) if ending else None


def _ending(tokens: "Sequence[Token]") -> tuple[int, str, bool] | None:
    """Returns where the last stem is, its ending, and whether it is a request ("알려 줘")."""
    rest = list(tokens)
    polite = ""
    if len(rest) > 1 and (rest[-1].form, rest[-1].tag) == ("요", "JX"):
        polite = "요"
        rest.pop()
    if len(rest) < 2 or rest[-1].tag not in ("EF", "EC"):
        return None
    form = rest[-1].form + polite
    stem_at = len(rest) - 2
    stem = rest[stem_at]
    if stem.tag == "EP" or stem.tag.split("-")[0] not in _STEMS:
        return None
    request = stem.form.endswith("주") and form in ("세요", "어", "어요", "아요", "시어요")
    before = rest[stem_at - 1].form if stem_at else ""
    wishes = stem.form.startswith(("궁금", "싶")) or before == "궁금"
    wanting = wishes and form in ("ᆸ니다", "습니다", "어요", "어")
    if request or wanting or form in _ASKING:
        return stem_at, form, request or wanting
    return None


def _rest(tokens: "Sequence[Token]", stem_at: int) -> list[tuple[str, str]]:
    return [(token.form, token.tag) for token in tokens[stem_at + 1 :]]


def _register_of(form: str) -> Register | None:
    if form == "세요":
        return "polite"
    if form in ("ᆸ니다", "습니다"):
        return "formal"
    return _ASKING.get(form)


def _word_start(text: str, tokens: "Sequence[Token]", stem_at: int) -> int:
    """Returns where the word of a stem begins, so that the spacing before it stays as it was."""
    return text.rfind(" ", 0, tokens[stem_at].start + 1) + 1


def _joined(stem: list[tuple[str, str]], form: str, register: Register, *, is_request: bool) -> str:
    asks_what = stem[-1][1] in ("VCP", "VCN")
    if is_request and stem[-1][0].endswith("주"):
        end = {"casual": "어", "polite": "세요", "formal": "시기 바랍니다"}[register]
        if register == "formal":
            return ""  # "알려 주시기 바랍니다" is another phrase, not another ending
    elif is_request:
        end = {"casual": "어", "polite": "어요", "formal": "ᆸ니다"}[register]
    elif form in _WONDERING:
        end = _WONDER_ENDS[register]
        if register == "formal":
            return ""
    elif asks_what:
        end = {"casual": "야", "polite": "ᆫ가요", "formal": "ᆸ니까"}[register]
    else:
        like_adjective = stem[-1][1] in ("VA", "XSA") and not _HAVE.search(stem[-1][0])
        polite = "ᆫ가요" if like_adjective else "나요"
        end = {"casual": "어", "polite": polite, "formal": "ᆸ니까"}[register]
    if register == "casual" and asks_what and stem[0][0] == "무엇":
        stem = [("뭐", "NP"), *stem[1:]]
    if full := _FULL.get(stem[-1][0]):
        stem = [*stem[:-1], (full, "VA")]
    word = str(_kiwi().join([*stem, (end, "EF")]))
    for stiff, spoken in _SPOKEN:
        word = word.replace(stiff, spoken)
    return word


@cache
def _kiwi() -> "Kiwi":
    from kiwipiepy import Kiwi

    return Kiwi(load_multi_dict=False)
