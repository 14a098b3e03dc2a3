"""The pipeline as a LangChain (LCEL) runnable: a question in, a cited answer out.

`build_chain` composes our retriever and prompts with any LangChain chat model, for people who live in LangChain;
`pipeline_runnable` wraps the whole pipeline, decomposition and checked citations included.
"""

from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough

from data.prompts import Example, grounded_messages
from rag.pipeline import QAPipeline


def build_chain(retriever: BaseRetriever, model: BaseChatModel) -> Runnable[str, str]:
    """Composes retriever, prompt, model and parser into one chain.

    Args:
        retriever: For example `index.langchain_retriever.DobaeRetriever`; documents need "question" metadata.
        model: Any LangChain chat model.

    Returns:
        A runnable from a question to the model's text.
    """
    return (
        {"documents": retriever, "question": RunnablePassthrough()}
        | RunnableLambda(_messages)
        | model
        | StrOutputParser()
    )


def pipeline_runnable(pipeline: QAPipeline) -> Runnable[str, dict[str, Any]]:
    """Wraps a pipeline: a question in, the answer in the command line's JSON form out."""
    return RunnableLambda(lambda question: pipeline.ask(question).to_json())


def _messages(inputs: dict[str, Any]) -> list[BaseMessage]:
    documents: list[Document] = inputs["documents"]
    examples = [Example(str(document.metadata["question"]), document.page_content) for document in documents]
    system, user = grounded_messages(inputs["question"], examples)
    return [SystemMessage(system.content), HumanMessage(user.content)]
