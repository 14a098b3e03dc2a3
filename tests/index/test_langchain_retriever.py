import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from data.types import QAGroup
from index.langchain_retriever import DobaeRetriever
from index.retriever import Retriever

pytestmark = pytest.mark.integration


def test_documents_carry_group_question_and_cosine(base_of, groups: tuple[QAGroup, ...]) -> None:
    documents = DobaeRetriever(retriever=Retriever(base_of(groups)), top_k=2).invoke("곰팡이는 무엇으로 닦나요?")
    assert len(documents) == 2
    assert documents[0].page_content == groups[1].answers[0]
    assert documents[0].metadata["group_id"] == documents[0].id == "g2"
    assert documents[0].metadata["question"] == "곰팡이는 무엇으로 닦나요?"
    assert documents[0].metadata["score"] == pytest.approx(1, abs=1e-5)
    assert documents[0].metadata["category"] == "결로·누수"


def test_it_serves_in_a_real_lcel_chain(base_of, groups: tuple[QAGroup, ...]) -> None:
    retriever = DobaeRetriever(retriever=Retriever(base_of(groups)), top_k=1)
    prompt = ChatPromptTemplate.from_messages([("system", "사례: {context}"), ("human", "{question}")])
    chain = (
        {
            "context": retriever | (lambda documents: documents[0].page_content),
            "question": RunnablePassthrough(),
        }
        | prompt
        | RunnableLambda(lambda value: value.to_messages()[0])
        | StrOutputParser()
    )
    assert chain.invoke("몰딩 틈은 어떻게 메우나요?") == f"사례: {groups[2].answers[0]}"
