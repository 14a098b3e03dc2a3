"""The words by which a Korean question is told apart: what opens one, asks, points back, or names nothing of its own.

Forms are as Kiwi writes morphemes: stems without endings, and a final consonant that opens an ending as a jamo
("ᆫ지"). Knows nothing about the rules that use them; a word that only one rule needs stands in that rule.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AND_ALSO = r"(?:그리고|그리구|글고|글구|그러고|또한|아울러)(?:요(?=[\s,]))?(?:\s?보니까?)?"
CONNECTIVE = re.compile(
    rf"(?:(?:아|음|어|자|참)[\s,.]+)?(?:{_AND_ALSO}(?:\s+또(?=[\s,]))?"
    r"|(?:또|더불어|추가로|추가적으로|한편|근데|그런데|하지만|반면에?|그럼|그러면|그렇다면|다음으로|마지막으로|끝으로"
    r"|그건 그렇고|그나저나|하나 더|첫째|둘째|셋째"
    r"|그 ?(?:담|다음)(?:에|으로)?|[이그]와 (?:함께|더불어|별개로|별도로)|[이그] ?외에)(?=[\s,])|그럼(?!에))[\s,.~]*"
)
"""What may open a further question, and says nothing once that question stands alone."""

JOINING = re.compile(rf"{_AND_ALSO}[\s,]")
"""Connectives that join whole questions even where no sentence visibly ended."""

FURTHER = re.compile(rf"(?:{_AND_ALSO}(?:\s+또(?=[\s,]))?|(?:추가로|하나 더)(?=[\s,]))[\s,.~]*")
"""Connectives after which even a statement is a further matter."""

ELAPSING = _words("되 지나 넘 살")
"""Predicates by which people tell how long ago something was, or where they live."""

THANKS = _words("답 답변 부탁 감사 고맙 바라")
"""What a message ends with that asks nothing more."""

LAST = _words("마지막 끝")
"""What announces one more question, and so is no part of the clause before: "…도 알려 주시고, 마지막으로 …"."""

CONTINUES = re.compile(r"[\s,.]*(?:아니면|아님|혹은|또는|예를 ?들|예컨대|이를테면|가령|특히|구체적으로|즉|다시 말해)")
"""Openings that make a piece an alternative to, or an example of, the piece before."""

PARTICLE_AFTER = re.compile(r"(?:와|과|이?랑|하고|의|이?라[고는며]|이?란)(?=[\s'\"“‘]|$)")
"""A particle right after a closing mark makes the "sentence" a quotation inside a longer one."""

ANDS = _words("와 과 이랑 랑 하고")
AND_ENDINGS = _words("고 며 으며 고요 구요")
TOPIC_MARKS = _words("은 는 ᆫ 란 이란")
COMPARING = _words("보다 대신 대비")
RELATIONS = _words("관계 상관관계 연관 연관성 관련성 상관성")

ASPECTS = _words(
    "방법 법 방식 방안 원인 이유 까닭 해결책 해결법 대책 대처법 예방법 제거법 사용법 관리법 보수법 시공법 요령 팁 "
    "꿀팁 절차 순서 단계 과정 장점 단점 장단점 특징 특성 성질 성능 기능 효과 역할 용도 종류 유형 차이 차이점 공통점 "
    "기준 조건 요건 주기 기간 시기 수명 비용 가격 단가 견적 주의점 주의사항 유의점 유의사항 사항 점 문제점 위험성 "
    "부작용 영향 의미 뜻 정의 개념 원리 여부 비 값"
)
"""Nouns that name what is asked about a thing, never the thing."""

GLUED_ASPECTS = ASPECTS - _words(
    "비용 가격 단가 비 값 견적 기간 시기 수명 주기 성능 기능 효과 영향 성질 특성 조건 단계 과정 점"
)
"""Aspects that make "A와 B의 관계" two glued questions; quantities and properties really do relate to each other."""

GENERIC = ASPECTS | _words(
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
    "설명 소개 안내 추천 부탁 답 답변 대답 질문 문의 조언 도움 정보 상담 말 말씀 생각 안녕 진짜 감사"
)
"""Nouns that give a question no subject of its own: any thing has, undergoes or needs them."""

GENERIC_ENDINGS = re.compile(r"\S\S(?:성|비|법|량|률|율)$")
"""Derived nouns of the same kind, which no list could hold: "내구성", "인건비", "시공법"."""

REQUESTS = _words("여쭈 여쭙 알리 가르치 궁금하 궁금 설명 추천 부탁 소개 안내 조언 알려주")
WANTED = _words("아이디어 조언 도움 정보 추천 팁")
"""What one may be said to need and mean a question: "아이디어가 필요해요"."""

ANNOUNCED = _words("안녕 질문 문의 대답 답변 진짜 정말")
"""Nouns of opening chatter: a piece with no other noun leads up to the next question."""

MISSPELT_WH = re.compile("어[케캐]|어[떠뜨]케|우째")
"""How people write 어떻게, which Kiwi takes apart."""

WH_DETERMINERS = _words("어떤 어느 무슨 몇 어떠한 웬")
WH = WH_DETERMINERS | _words(
    "무엇 뭐 머 뭣 무어 어디 언제 누구 얼마 얼마나 어떻 어떻게 왜 며칠 어케 어캐 어떡하 어찌 어쩌"
)

POINTERS = _words("그것 이것 그거 이거 그게 이게 이곳 그곳 이들 이때 그때 그중 그대로 해당 각각 전자 후자 둘")
"""Words that point back when nothing before them in their own piece can be meant."""

POINTED = _words("때 중 외 밖 후 곳 거 것")
"""What "이" and "그" may be written together with; "이물질" and "이설" are other words."""

POINTING_STEMS = _words("그렇 이렇 이러 그러 그런 이런 이러한 그러한")

ASKING_ENDS = re.compile(r"(?:나|까|가|냐|니|나여|는지|ᆫ지|은지|을지|ᆯ지)요?$|(?:니까)$")
TELLING_ENDS = re.compile(r"(?:다|네요|군요|거든요|라고요|대요|ᆫ대요|래요)$")
TOLD = re.compile(r"(?:얼마|며칠|몇\s?\S+) ?(?:전|째|동안|후)|어느 ?날|여러|왠지|뭔가|언젠가|어딘가")
"""Question words that ask nothing: "얼마 전에", "며칠째"."""

LIGHT_VERBS = _words("되 있 들 하 이 걸리")
