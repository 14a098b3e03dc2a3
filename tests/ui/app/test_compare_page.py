"""비교, as visitors use it."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rag.generators import spec
from rag.generators.base import GenerationRequest, Generator
from tests.ui.app.conftest import turn_to
from ui.app import compare_page, session
from ui.app.engine import Engine
from ui.app.jobs import QueueFullError

QUESTION = "곰팡이는 무엇으로 닦나요?"
ALONE, SHOWN = "락스를 물에 타서 닦는다고 들었습니다.", "곰팡이 제거제로 닦습니다. [1]"


class _Model:
    """Says one thing alone and another with examples before it."""

    name = "smollm2"

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        yield SHOWN if request.examples else ALONE


@pytest.fixture
def with_model(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    real = spec.make_generator

    def make(name: str, *, adapter: str | None = None) -> Generator:
        return _Model() if name == "smollm2" else real(name, adapter=adapter)

    monkeypatch.setattr(spec, "make_generator", make)
    for module in (compare_page, session):
        monkeypatch.setattr(module, "models", lambda: ["smollm2"])
    return page


def _compared(page: AppTest, question: str) -> AppTest:
    page.run()
    turn_to(page, "compare")
    page.text_input(key="compared").set_value(question)
    next(button for button in page.button if button.label == "비교하기").click()
    page.run()
    for turn in page.session_state["compared_turns"]:
        assert turn.job.wait(30)
    page.run()
    assert not page.exception
    return page


def test_the_same_question_stands_beside_itself_in_three_ways(with_model: AppTest) -> None:
    page = _compared(with_model, QUESTION)
    assert [heading.value for heading in page.main.subheader] == [
        "언어 모델만",
        "검색 + 언어 모델",
        "검색 + 그대로 인용",
    ]
    named = [caption.value for caption in page.main.caption if "smollm2" in caption.value]
    assert named == ["smollm2 · 기본 어댑터"] * 2
    pure, retrieved, quoted = page.session_state["compared_turns"]
    assert (pure.job.answer.text, retrieved.job.answer.text) == (ALONE, SHOWN)
    assert [pure.choice.retrieval, retrieved.choice.retrieval, quoted.choice.generator] == [False, True, "extractive"]
    nearest, support, _, *others = (metric.value for metric in page.metric)
    assert (nearest, support) == ("찾지 않음", "없음")  # Without examples nothing can be near, or hold.
    assert others[0] == f"{retrieved.job.answer.parts[0].hits[0].score:.2f}"
    assert others[1] == "1/1"


def test_without_a_model_the_quoted_answer_stands_alone(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (compare_page, session):
        monkeypatch.setattr(module, "models", list)
    _compared(page, QUESTION)
    assert "dobae models pull" in page.info[0].value
    assert [heading.value for heading in page.main.subheader] == ["검색 + 그대로 인용"]
    (turn,) = page.session_state["compared_turns"]
    assert [citation.group_id for part in turn.job.answer.parts for citation in part.citations] == ["g2"]


@pytest.mark.parametrize(
    ("question", "said"), [("", "글자로 적어"), ("😀😀", "글자로 적어"), ("가" * 100_000, "2,000자까지")]
)
def test_a_question_that_cannot_be_asked_is_explained_in_every_column(
    with_model: AppTest, question: str, said: str
) -> None:
    page = _compared(with_model, question)
    assert len(page.warning) == 3
    assert all(said in warning.value for warning in page.warning)


def test_a_new_question_cancels_the_one_before(with_model: AppTest) -> None:
    page = _compared(with_model, QUESTION)
    before = page.session_state["compared_turns"]
    _compared(page, "몰딩 틈은 어떻게 메우나요?")
    assert all(turn.job._cancel.is_set() for turn in before)
    assert page.session_state["compared_turns"][0].job.question == "몰딩 틈은 어떻게 메우나요?"


def test_a_full_queue_is_said_and_nothing_half_is_compared(
    with_model: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model.run()
    turn_to(with_model, "compare")
    real = Engine.ask
    asked = []

    def ask(self: Engine, *given: object) -> object:
        if len(asked) == 2:
            raise QueueFullError("64 questions are waiting")
        asked.append(real(self, *given))  # type: ignore[arg-type]
        return asked[-1]

    monkeypatch.setattr(Engine, "ask", ask)
    with_model.text_input(key="compared").set_value(QUESTION)
    next(button for button in with_model.button if button.label == "비교하기").click()
    with_model.run()
    assert not with_model.exception
    assert "밀려 있습니다" in with_model.warning[0].value
    assert with_model.session_state["compared_turns"] == []
