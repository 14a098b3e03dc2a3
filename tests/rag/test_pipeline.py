import pytest

from data.catalog import message
from data.errors import InputError, QuestionError
from data.prompts import REFUSAL
from data.types import QAGroup, nearest_cosine
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.generators.base import ScriptedGenerator
from rag.generators.extractive import ExtractiveGenerator
from rag.pipeline import AnswerEnded, PartEnded, PartStarted, PipelineSettings, QAPipeline, TextChunk

KEEP = PipelineSettings(refuse=False)


@pytest.fixture
def retriever(tmp_path, groups: tuple[QAGroup, ...]) -> Retriever:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    return Retriever(open_knowledge_base(tmp_path / "kb", encoder))


def test_an_extractive_answer_quotes_the_best_example_and_cites_it(retriever: Retriever) -> None:
    answer = QAPipeline(retriever, ExtractiveGenerator(), KEEP).ask("곰팡이는 무엇으로 닦나요?")
    (part,) = answer.parts
    assert part.hits[0].group.id == "g2"
    assert part.answer == f"{part.hits[0].answer} [1]"
    assert [(c.marker, c.group_id, c.supported) for c in part.citations] == [(1, "g2", True)]
    assert answer.text == part.answer
    assert not part.abstained


def test_each_part_of_a_compound_question_has_its_own_hits(retriever: Retriever) -> None:
    answer = QAPipeline(retriever, ExtractiveGenerator(), KEEP).ask(
        "벽지가 왜 들뜨나요? 그리고 곰팡이는 무엇으로 닦나요?"
    )
    assert [part.text for part in answer.parts] == ["벽지가 왜 들뜨나요?", "곰팡이는 무엇으로 닦나요?"]
    assert [part.hits[0].group.id for part in answer.parts] == ["g1", "g2"]
    assert "1. 벽지가 왜 들뜨나요?" in answer.text
    whole = QAPipeline(retriever, ExtractiveGenerator(), PipelineSettings(split=False, refuse=False))
    assert len(whole.ask(answer.question).parts) == 1


def test_a_line_break_parts_two_questions(retriever: Retriever) -> None:
    answer = QAPipeline(retriever, ExtractiveGenerator(), KEEP).ask("벽지 들뜸 원인\n몰딩 틈 보수 방법")
    assert [part.text for part in answer.parts] == ["벽지 들뜸 원인", "몰딩 틈 보수 방법"]
    assert "\n" not in answer.question


def test_the_stream_ends_with_what_ask_returns(retriever: Retriever) -> None:
    question = "벽지가 왜 들뜨나요? 그리고 곰팡이는 무엇으로 닦나요?"
    pipeline = QAPipeline(retriever, ExtractiveGenerator(), KEEP)
    events = list(pipeline.stream(question))
    asked = pipeline.ask(question)
    last = events[-1]
    assert isinstance(last, AnswerEnded)
    assert last.answer.parts == asked.parts
    kinds = [type(event) for event in events]
    assert kinds.count(PartStarted) == kinds.count(PartEnded) == 2
    for number in (1, 2):
        text = "".join(event.text for event in events if isinstance(event, TextChunk) and event.number == number)
        assert text == asked.parts[number - 1].answer


def test_markers_of_examples_that_were_not_shown_are_dropped(retriever: Retriever) -> None:
    answer = QAPipeline(retriever, ScriptedGenerator("젖은 천으로 닦습니다. [9] 말립니다. [1]"), KEEP).ask(
        "곰팡이 뭘로 지워"
    )
    assert answer.parts[0].answer == "젖은 천으로 닦습니다. 말립니다. [1]"
    assert [c.marker for c in answer.parts[0].citations] == [1]
    assert not answer.parts[0].sentences[0].supported


def test_the_generator_sees_the_examples_with_their_questions(retriever: Retriever) -> None:
    generator = ScriptedGenerator("답.")
    QAPipeline(retriever, generator, PipelineSettings(top_k=2, refuse=False)).ask("몰딩 틈은 어떻게 메우나요?")
    (request,) = generator.requests
    assert "[1] 질문: 몰딩 틈은 어떻게 메우나요?" in request.messages[1].content
    assert "[2]" in request.messages[1].content
    assert "[3]" not in request.messages[1].content


def test_long_examples_give_way_but_never_the_first(retriever: Retriever, tmp_path) -> None:
    long = [QAGroup(f"l{n}", (f"긴 답변 {n}번 질문?",), ("가" * 1500 + f"{n}.",)) for n in range(3)]
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "long", long, encoder)
    generator = ScriptedGenerator("답. [2]")
    pipeline = QAPipeline(Retriever(open_knowledge_base(tmp_path / "long", encoder)), generator, KEEP)
    part = pipeline.ask("긴 답변 1번 질문?").parts[0]
    assert len(generator.requests[0].examples) == 1
    assert len(part.hits) == 3
    assert part.answer == "답."


def test_nothing_near_is_refused_with_the_reason_and_the_nearest_questions(retriever: Retriever) -> None:
    generator = ScriptedGenerator("지어낸 답.")
    part = QAPipeline(retriever, generator).ask("zzzz qqqq?").parts[0]
    assert part.abstained
    assert part.hits
    assert part.citations == ()
    assert generator.requests == []
    threshold = retriever.base.manifest.calibration.refuse_below
    assert part.answer == message("answer.refused", score=nearest_cosine(part.hits), threshold=threshold)


@pytest.mark.parametrize(
    ("said", "key"), [(REFUSAL, "answer.refused_by_model"), ("", "answer.empty"), ("[7]", "answer.empty")]
)
def test_a_model_that_refuses_or_says_nothing_is_explained(retriever: Retriever, said: str, key: str) -> None:
    part = QAPipeline(retriever, ScriptedGenerator(said), KEEP).ask("몰딩 틈").parts[0]
    assert part.abstained
    assert part.answer == message(key)


def test_a_model_may_refuse_only_where_the_retriever_is_unsure(retriever: Retriever) -> None:
    generator = ScriptedGenerator("답.")
    pipeline = QAPipeline(retriever, generator, KEEP)
    assert not pipeline.ask("몰딩 틈은 어떻게 메우나요?").parts[0].unsure
    assert pipeline.ask("zzzz qqqq?").parts[0].unsure
    assert [request.refusable for request in generator.requests] == [False, True]


def test_pure_generation_has_neither_hits_nor_citations() -> None:
    generator = ScriptedGenerator("모델이 아는 답입니다. [1]")
    part = QAPipeline(None, generator).ask("벽지가 왜 들뜨나요?").parts[0]
    assert (part.answer, part.hits, part.citations) == ("모델이 아는 답입니다.", (), ())
    assert "사례" not in generator.requests[0].messages[0].content
    with pytest.raises(InputError, match="without retrieval"):
        QAPipeline(None, ExtractiveGenerator())


def test_an_unaskable_question_is_refused(retriever: Retriever) -> None:
    with pytest.raises(QuestionError):
        QAPipeline(retriever, ExtractiveGenerator()).ask("…")


def test_json_has_the_contracts_keys(retriever: Retriever) -> None:
    record = QAPipeline(retriever, ExtractiveGenerator(), KEEP).ask("곰팡이 뭘로 지워").to_json()
    assert set(record) == {"question", "answer", "generator", "parts", "timings_ms"}
    assert set(record["timings_ms"]) == {"encode", "search", "generate"}
    assert {"text", "answer", "abstained", "hits", "citations"} <= set(record["parts"][0])
    assert set(record["parts"][0]["hits"][0]) == {"group_id", "question", "answer", "score", "rank"}
    assert set(record["parts"][0]["citations"][0]) == {"marker", "group_id", "supported"}
