"""Answers without a model: the best example's stored answer, cited sentence by sentence."""

from collections.abc import Iterator

from data.errors import GenerationError
from data.prompts import defused
from data.sentences import split_sentences
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
        answer = defused(request.examples[0].answer)
        for number, sentence in enumerate(split_sentences(answer)):
            yield f"{' ' if number else ''}{sentence} [1]"
