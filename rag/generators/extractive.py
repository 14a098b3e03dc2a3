"""Answers without a model: the best example's stored answer, cited sentence by sentence."""

from collections.abc import Iterator

from data.errors import GenerationError
from data.prompts import cited_sentences
from rag.generators.base import GenerationRequest


class ExtractiveGenerator:
    """Says what the first example says, "[1]" after every sentence."""

    @property
    def name(self) -> str:
        """Returns "extractive"."""
        return "extractive"

    def stream(self, request: GenerationRequest) -> Iterator[str]:
        """Yields the first example's answer a sentence at a time.

        Raises:
            GenerationError: The request shows no example.
        """
        if not request.examples:
            raise GenerationError("the extractive generator only repeats examples, and none was retrieved")
        for number, sentence in enumerate(cited_sentences(request.examples[0].answer, 1)):
            yield f"{' ' if number else ''}{sentence}"
