"""The generator without a model must cite everything it says, and say nothing that was not stored."""

from dataclasses import replace

import pytest

from data.errors import GenerationError
from data.types import Hit
from rag.generators.base import GenerationRequest
from rag.generators.extractive import ExtractiveGenerator


def test_every_sentence_of_the_best_example_carries_its_marker(hits: tuple[Hit, ...]) -> None:
    text = "".join(ExtractiveGenerator().stream(GenerationRequest.of("벽지가 들떠요", hits)))
    assert text == (
        "벽지가 들뜨는 이유는 접착제가 부족하거나 벽면에 습기가 있기 때문입니다. [1] 벽을 말린 뒤 다시 도배하세요. [1]"
    )


def test_marker_like_text_in_an_answer_is_no_citation(hits: tuple[Hit, ...]) -> None:
    sly = replace(hits[0], answer="표 [2]를 보세요.")
    assert "".join(ExtractiveGenerator().stream(GenerationRequest.of("표", (sly,)))) == "표 (2)를 보세요. [1]"


def test_pure_generation_is_refused() -> None:
    with pytest.raises(GenerationError, match="none was retrieved"):
        list(ExtractiveGenerator().stream(GenerationRequest.of("벽지가 들떠요", None)))
