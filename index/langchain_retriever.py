"""Our retriever as a LangChain `BaseRetriever`, to be dropped into any LangChain chain."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from index.retriever import Retriever


class DobaeRetriever(BaseRetriever):
    """Returns one `Document` a group: the example answer, with the group, the question and the cosine as metadata.

    Attributes:
        retriever: Searches the knowledge base.
        top_k: Groups returned; the retriever's setting if None.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    top_k: int | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        return [
            Document(
                id=hit.group.id,
                page_content=hit.answer,
                metadata=_metadata(hit.group.id, hit.group.category, hit.group.source)
                | {"question": hit.question, "score": hit.score, "rank": hit.rank},
            )
            for hit in self.retriever.search(query, self.top_k)
        ]


def _metadata(group_id: str, category: str, source: str) -> dict[str, Any]:
    return {"group_id": group_id, "category": category, "source": source}
