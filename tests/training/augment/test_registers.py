"""The same question in another register, by its ending alone."""

import pytest

from data.types import QAGroup
from training.augment.registers import register_of, variants, with_registers

pytestmark = pytest.mark.integration  # loads Kiwi


@pytest.mark.parametrize(
    ("question", "casual", "polite"),
    [
        ("벽지가 왜 들뜨나요?", "벽지가 왜 들떠?", None),
        ("원인은 무엇인가요?", "원인은 뭐야?", None),
        ("그 위에 해도 되나요?", "그 위에 해도 돼?", None),
        ("시공이 가능한가요?", "시공이 가능해?", None),
        ("보수 방법이 궁금합니다.", "보수 방법이 궁금해", "보수 방법이 궁금해요."),
        ("벽지 우는 이유 알려줘", None, "벽지 우는 이유 알려 주세요."),
        ("뭐로 닦아야 해?", None, "뭐로 닦아야 하나요?"),
        ("얼마나 걸려?", None, "얼마나 걸리나요?"),
        ("벽지 왜 터지는 거야", None, "벽지 왜 터지는 건가요?"),
        ("괜찮아?", None, "괜찮은가요?"),
        ("방법이 있을까?", None, "방법이 있을까요?"),
        ("혼자 할 수 있어?", None, "혼자 할 수 있나요?"),
        ("다른 방법은 없어?", None, "다른 방법은 없나요?"),
        ("이거 하자 아니야?", None, "이거 하자 아닌가요?"),
        ("이거 하자 아닌가요?", "이거 하자 아니야?", None),
        ("비가 오니까, 언제 하나요?", "비가 오니까, 언제 해?", None),
    ],
)
def test_endings_change_and_nothing_else(question: str, casual: str | None, polite: str | None) -> None:
    made = {variant.register: variant.text for variant in variants(question)}
    assert made.get("casual") == casual
    assert made.get("polite") == polite


@pytest.mark.parametrize(
    "question",
    [
        *("도배 후 누런 반점이 올라와", "벽지 찢어짐 붙이는 법", "이거 하자죠?", "왜죠", "문의드립니다.", "써도 됨?"),
        *("?", "", "wallpaper", "벽지가 들뜨나요, 아니면 우나요?", "왜 그런가요, 고칠 수 있나요?"),
        *("써도 될까요, 안 될까요?", "벽지가 떠요? 왜 그런가요?"),
    ],
)
def test_what_is_not_understood_is_left_alone(question: str) -> None:
    assert variants(question) == ()


def test_variants_come_back_to_the_question(starter_groups: tuple[QAGroup, ...]) -> None:
    questions = [group.questions[1] for group in starter_groups[::6]]
    returned = total = 0
    for question in questions:
        for variant in variants(question):
            if variant.register == "casual":
                total += 1
                again = {back.text for back in variants(variant.text)}
                returned += register_of(variant.text) == "casual" and bool(again)
    assert total > 0.5 * len(questions)
    assert returned >= 0.9 * total


def test_groups_get_the_registers_they_lack_and_keep_the_rest() -> None:
    groups = [
        QAGroup("polite", ("벽지가 왜 들뜨나요?",), ("답.",), "시공", "책"),
        QAGroup("both", ("벽지 왜 들떠?", "벽지가 왜 들뜨나요?"), ("답.",)),
        QAGroup("odd", ("벽지 찢어짐 붙이는 법",), ("답.",)),
    ]
    rows = with_registers(groups)
    assert rows == with_registers(groups)
    assert rows[0]["questions"] == ("벽지가 왜 들뜨나요?", "벽지가 왜 들떠?")
    assert rows[0]["provenance"]["registers"] == [
        {"text": "벽지가 왜 들떠?", "from": "벽지가 왜 들뜨나요?", "register": "casual"}
    ]
    assert (rows[0]["category"], rows[0]["source"]) == ("시공", "책")
    assert rows[1]["questions"] == groups[1].questions
    assert "provenance" not in rows[2]
