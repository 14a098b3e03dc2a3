import pytest
from langchain_core.language_models import FakeListChatModel

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.langchain_retriever import DobaeRetriever
from index.retriever import Retriever
from rag.chain import build_chain, pipeline_runnable
from rag.generators.extractive import ExtractiveGenerator
from rag.pipeline import PipelineSettings, QAPipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def retriever(tmp_path, groups: tuple[QAGroup, ...]) -> Retriever:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    return Retriever(open_knowledge_base(tmp_path / "kb", encoder))


def test_any_chat_model_answers_from_our_examples(retriever: Retriever) -> None:
    chain = build_chain(DobaeRetriever(retriever=retriever, top_k=2), FakeListChatModel(responses=["닦습니다. [1]"]))
    assert chain.invoke("곰팡이는 무엇으로 닦나요?") == "닦습니다. [1]"


def test_the_whole_pipeline_is_a_runnable(retriever: Retriever) -> None:
    runnable = pipeline_runnable(QAPipeline(retriever, ExtractiveGenerator(), PipelineSettings(refuse=False)))
    first, second = runnable.batch(["곰팡이 뭘로 지워", "몰딩 틈은 어떻게 메우나요?"])
    assert first["parts"][0]["citations"][0]["group_id"] == "g2"
    assert second["parts"][0]["citations"][0]["group_id"] == "g3"
