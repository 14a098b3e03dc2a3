"""The question splitter: each case names what a user would lose; the labelled set says how often it is right."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from rag.decompose import decompose

pytestmark = pytest.mark.integration

LABELLED = [
    json.loads(line) for line in Path(__file__).with_name("compound_questions.jsonl").read_text("utf-8").splitlines()
]

SPLIT = {
    "joined by a connective": (
        "합판의 등급은 어떻게 나뉘나요? 또한, 벽난로의 연료는 무엇인가요?",
        ("합판의 등급은 어떻게 나뉘나요?", "벽난로의 연료는 무엇인가요?"),
    ),
    "no connective": (
        "라멘조의 장점은 무엇인가요? 그을음은 어떻게 지우나요?",
        ("라멘조의 장점은 무엇인가요?", "그을음은 어떻게 지우나요?"),
    ),
    "no closing mark": (
        "단열벽지 진짜 효과 있나요 콘크리트 벽에 선반은 어떻게 달아요",
        ("단열벽지 진짜 효과 있나요", "콘크리트 벽에 선반은 어떻게 달아요"),
    ),
    "no space after the mark": (
        "석고보드의 종류는 무엇인가요?그리고 방문 소음은 어떻게 줄이나요?",
        ("석고보드의 종류는 무엇인가요?", "방문 소음은 어떻게 줄이나요?"),
    ),
    "dangling quote": (
        '도막의 역할은 무엇인가요? 또한, 창틀 청소는 어떻게 하나요?"',
        ("도막의 역할은 무엇인가요?", "창틀 청소는 어떻게 하나요?"),
    ),
    "requests, not questions": (
        "도배 하자의 종류를 알려 주시고, 철골 구조의 장점도 설명해 주세요.",
        ("도배 하자의 종류를 알려 주시고", "철골 구조의 장점도 설명해 주세요."),
    ),
    "clauses of one sentence": (
        "앵커 종류에는 어떤 것들이 있고, 줄눈 시멘트의 색상 종류는?",
        ("앵커 종류에는 어떤 것들이 있고", "줄눈 시멘트의 색상 종류는?"),
    ),
    "embedded questions": (
        "벽면 균열 보수제는 어떤 종류가 있는지, 마루 왁스는 어떻게 칠하는지 알려주세요.",
        ("벽면 균열 보수제는 어떤 종류가 있는지", "마루 왁스는 어떻게 칠하는지 알려주세요."),
    ),
    "glued by a relation nobody means": (
        "벽지가 찢어지는 이유와 타일을 고르는 방법의 관계는 무엇인가요?",
        ("벽지가 찢어지는 이유", "타일을 고르는 방법"),
    ),
    "whole sentences glued by a relation": (
        "벽지가 변색되는 이유는 무엇인가요?와 마루의 수명은 얼마인가요?의 관계는 무엇인가요?",
        ("벽지가 변색되는 이유는 무엇인가요?", "마루의 수명은 얼마인가요?"),
    ),
    "context before the first question": (
        "외벽에 금이 갔습니다. 누수의 원인이 될 수 있나요? 그리고 마루의 삐걱거림은 어떻게 고치나요?",
        ("외벽에 금이 갔습니다. 누수의 원인이 될 수 있나요?", "마루의 삐걱거림은 어떻게 고치나요?"),
    ),
    "same aspect of two things": (
        "평지붕의 장점은 무엇인가요? 또한, 경사지붕의 장점은 무엇인가요?",
        ("평지붕의 장점은 무엇인가요?", "경사지붕의 장점은 무엇인가요?"),
    ),
    "first noun begins like a pointer": (
        "도배지 오염을 지우는 방법은 무엇인가요? 이음매가 벌어지는 이유는 무엇인가요?",
        ("도배지 오염을 지우는 방법은 무엇인가요?", "이음매가 벌어지는 이유는 무엇인가요?"),
    ),
    "pointer explained in its own sentence": (
        "유광 타일이란 무엇인가요? 그리고 창틀에 결로가 생기는데 이를 막으려면 어떻게 하나요?",
        ("유광 타일이란 무엇인가요?", "창틀에 결로가 생기는데 이를 막으려면 어떻게 하나요?"),
    ),
    "numbered list": (
        "1) 도배 전 벽면 처리는 어떻게 하나요? 2) 타일 본드 종류는 무엇인가요?",
        ("도배 전 벽면 처리는 어떻게 하나요?", "타일 본드 종류는 무엇인가요?"),
    ),
    "lines": (
        "내단열 시공의 단점은 무엇인가요\n방수 페인트는 몇 번 칠해야 하나요",
        ("내단열 시공의 단점은 무엇인가요", "방수 페인트는 몇 번 칠해야 하나요"),
    ),
    "everyday speech": (
        "몰딩 색깔 추천해줘 글고 싱크대 물 새는거 어떻게 고쳐",
        ("몰딩 색깔 추천해줘", "싱크대 물 새는거 어떻게 고쳐"),
    ),
    "everyday speech without connective": (
        "트러스가 뭐야 싱크대 물 새는거 어떻게 고쳐",
        ("트러스가 뭐야", "싱크대 물 새는거 어떻게 고쳐"),
    ),
    "three": (
        "실크벽지 가격은? 그리고 욕실 줄눈 비용은? 또 몰딩 종류는?",
        ("실크벽지 가격은?", "욕실 줄눈 비용은?", "몰딩 종류는?"),
    ),
    "the last of three announced": (
        "데코타일 수명을 알려주시고, 단열재 두께도 알려주시고, 마지막으로 몰딩 색상 추천 부탁드립니다.",
        ("데코타일 수명을 알려주시고", "단열재 두께도 알려주시고", "몰딩 색상 추천 부탁드립니다."),
    ),
    "two aspects joined by a particle": (
        "마루가 썩는 이유랑 타일 자르는 방법 알려줘",
        ("마루가 썩는 이유", "타일 자르는 방법 알려줘"),
    ),
    "change of subject": (
        "에폭시가 뭔가요? 그건 그렇고 방문은 왜 저절로 열리나요?",
        ("에폭시가 뭔가요?", "방문은 왜 저절로 열리나요?"),
    ),
    "misspelt questions joined": (
        "방충망 찢어졌는데 어케고침 글고 문고리 헐거운거 뭘로 조여야대요",
        ("방충망 찢어졌는데 어케고침", "문고리 헐거운거 뭘로 조여야대요"),
    ),
    "another matter stated": (
        "신축 도배 하자 어디에 접수해? 그리고 실크벽지에 분홍색 얼룩이 생겼어",
        ("신축 도배 하자 어디에 접수해?", "실크벽지에 분홍색 얼룩이 생겼어"),
    ),
    "another matter named": (
        "새 석고보드 위에 바로 도배해도 되나요? 글고 벽지 못자국 메우기",
        ("새 석고보드 위에 바로 도배해도 되나요?", "벽지 못자국 메우기"),
    ),
    "an inquiry at the end": (
        "장판은 몇 밀리가 좋은지, 그리고 눌린 소파 자국은 없앨 수 있는지 여쭙니다.",
        ("장판은 몇 밀리가 좋은지", "눌린 소파 자국은 없앨 수 있는지 여쭙니다."),
    ),
}

WHOLE = {
    "pronoun": "도배지가 우는 이유는 무엇인가요? 또한, 이를 막으려면 어떻게 해야 하나요?",
    "demonstrative": "상도재를 생략하면 어떤 문제가 생기나요? 또한, 이 문제를 예방하려면 어떻게 해야 하나요?",
    "each of them": "단열재의 종류에는 어떤 것이 있나요? 각각의 장단점도 설명해 주세요.",
    "both of them": "장판과 마루의 차이는 무엇인가요? 둘 중 어떤 것이 더 저렴한가요?",
    "subject left out": "붙박이장 설치 비용은 얼마인가요? 또한 설치하는 데 시간은 얼마나 걸리나요?",
    "aspect in a long list of them": "데코타일이란 무엇인가요? 그리고 내구성은 어떤가요?",
    "unnamed first term of a comparison": "헤링본 시공이란 무엇인가요? 일반 시공보다 비싼가요?",
    "same asked of another place": "강마루는 왜 물에 약한가요? 그리고 주방에도 시공할 수 있나요?",
    "another thing named alone": "강마루는 평당 얼마인가요? 데코타일은요?",
    "example asked for": "마감재 하자는 어떻게 판단하나요? 예를 들면 어떤 얼룩을 확인해야 하나요?",
    "alternative": "마루가 솟은 것은 습기 때문인가요? 아니면 시공 불량 때문인가요?",
    "choice without a mark": "벽지가 들떴는데 풀로 붙이면 되나요 본드로 붙이면 되나요",
    "one question about two things": "벽지를 뜯고 칠하는 것과 벽지 위에 칠하는 것의 차이는 무엇인가요?",
    "two aspects of one thing": "천장 텍스가 처지는 가장 큰 원인과 그 해결 방법은 무엇인가요?",
    "two clauses about one thing": "데코타일은 어떤 재료로 만들어지며, 어떤 공간에 적합한가요?",
    "aspects joined by a particle, of one thing": "단열재의 종류랑 가격 알려줘",
    "cause and cure joined by a particle": "백화가 생기는 원인과 없애는 방법 알려주세요",
    "last aspect of one thing announced": "단열재의 장점은 무엇인가요? 마지막으로, 가격은 얼마인가요?",
    "two steps of one job": "어떤 접착제를 사용하고 어떤 순서로 벽지를 붙여야 하나요?",
    "real relation": "벽지 두께와 시공 난이도의 관계는 무엇인가요?",
    "context before the question": "며칠 전에 도배했는데 벽지가 들떴어요. 다시 시공해야 하나요?",
    "context after the question": "거실에 어울리는 식물을 추천해 주세요. 햇빛이 잘 들지 않습니다.",
    "what something is, joined": "벽지가 왜 뜨나요? 그리고 저희 집은 1층이에요",
    "how long ago it was, joined": "벽지가 왜 뜨나요? 그리고 도배한 지 한 달 됐어요",
    "what is said of a topic, joined": "줄눈이 왜 까매지죠? 그리고 보일러는 계속 틀어 놨어요",
    "thanks, joined": "벽지가 왜 뜨나요? 그리고 빨리 답 부탁드려요",
    "greeting and thanks": "안녕하세요, 도배 관련 질문드립니다. 초배지는 꼭 필요한가요? 답변 부탁드립니다.",
    "quotation inside": "업체에서 '초배는 필요 없나요?'라고 되묻는데 왜 그런가요?",
    "connective between nouns": "벽, 천장 그리고 바닥의 마감 순서는 어떻게 되나요?",
    "decimal point": "두께가 9.5mm인 석고보드를 두 겹 붙이면 방음 효과가 있나요?",
    "no question at all": "고마워 덕분에 해결됐어",
    "lone follow-up": "그리고 시공기간은요?",
}

# Slightly below what the rules reach (.997 overall; 1, .986 and 1): a new Kiwi model may differ by a case or two.
FLOORS = {"comp": 0.98, "hard": 0.95, "chat": 0.95}


@pytest.mark.parametrize(("text", "parts"), SPLIT.values(), ids=SPLIT.keys())
def test_independent_questions_come_apart(text: str, parts: tuple[str, ...]) -> None:
    assert decompose(text) == parts


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_one_question_stays_whole(text: str) -> None:
    assert decompose(text) == (text,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("  ", ""), ("?", "?"), ('"', ""), ("그리고", "그리고"), ("ㅎㅇ", "ㅎㅇ"), ("  결로란? ", "결로란?")],
)
def test_odd_input_comes_back_trimmed(text: str, expected: str) -> None:
    assert decompose(text) == (expected,)


@pytest.mark.parametrize(
    "text", ['석고 텍스의 교체 방법은?"', '"석고 텍스의 교체 방법은?"', "“석고 텍스의 교체 방법은?"]
)
def test_dangling_quotes_of_a_single_question_are_dropped(text: str) -> None:
    assert decompose(text) == ("석고 텍스의 교체 방법은?",)


def test_quotes_that_enclose_a_term_stay() -> None:
    assert decompose("“친환경 벽지”란 무엇인가요?") == ("“친환경 벽지”란 무엇인가요?",)


def test_a_sentence_without_end_neither_hangs_nor_overflows_the_stack() -> None:
    text = "벽지는 어떻게 고르고 타일은 어떻게 붙이며 " * 200
    assert decompose(text) == (text.strip(),)


def test_every_part_is_text_the_user_wrote() -> None:
    for item in LABELLED:
        assert all(part and part in item["text"] for part in decompose(item["text"]))


def test_accuracy_on_labelled_questions_does_not_fall() -> None:
    right: dict[str, list[bool]] = defaultdict(list)
    for item in LABELLED:
        right[item["style"].partition(":")[0]].append(list(decompose(item["text"])) == item["parts"])
    accuracy = {style: sum(cases) / len(cases) for style, cases in right.items()}
    assert {style: value for style, value in accuracy.items() if value < FLOORS[style]} == {}
    assert sum(map(sum, right.values())) / len(LABELLED) >= 0.985


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("벽지가 들뜨는 원인을 문의드립니다. 또한, 곰팡이 제거 방법은 무엇인가요?", 2),
        ("이음매가 왜 벌어지는지 문의드립니다. 그리고 실크벽지의 장점도 궁금합니다.", 2),
        ("도배 하자를 문의드립니다. 벽지가 왜 들뜨나요?", 1),
        ("안녕하세요 도배 관련 문의드립니다. 벽지가 왜 뜨나요?", 1),
        ("몰딩이 벌어지는 이유는 무엇인가요, 장판 찍힘은 어떻게 복구하나요?", 2),
        ("실크가 좋나요, 합지가 좋나요?", 1),
        ("무몰딩으로 하면 금이 가기 쉬운가요?와 포인트 벽지는 어느 면이 좋은가요?의 관계는 무엇인가요?", 2),
        ("결로와 곰팡이의 관계는 무엇인가요?", 1),
        ("이게 곰팡이인가요, 얼룩인가요?", 1),
    ],
)
def test_an_inquiry_asks_and_a_comma_may_end_a_question(text: str, parts: int) -> None:
    assert len(decompose(text)) == parts
