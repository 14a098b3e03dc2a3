import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.generators.base import ScriptedGenerator
from rag.pipeline import PipelineSettings, QAPipeline
from ui.cli.render import print_stream


@pytest.fixture
def retriever(tmp_path: Path, groups: tuple[QAGroup, ...]) -> Retriever:
    encoder = HashEncoder()
    build_knowledge_base(tmp_path / "kb", groups, encoder)
    return Retriever(open_knowledge_base(tmp_path / "kb", encoder))


def _shown(pipeline: QAPipeline, question: str, *, live: bool) -> str:
    output = io.StringIO()
    with redirect_stdout(output):
        print_stream(pipeline, question, live=live)
    return output.getvalue()


@pytest.mark.parametrize("live", [True, False])
def test_a_refusal_is_said_once(retriever: Retriever, live: bool) -> None:
    shown = _shown(QAPipeline(retriever, ScriptedGenerator("x")), "zzzz qqqq?", live=live)
    assert shown.count("지식베이스에서 찾지 못해") == 1
    assert "비슷한 질문" in shown


@pytest.mark.parametrize("live", [True, False])
def test_an_answer_is_said_once_with_its_sources(retriever: Retriever, live: bool) -> None:
    said = "젖은 천과 곰팡이 제거제로 닦고 충분히 말립니다. [1]"
    pipeline = QAPipeline(retriever, ScriptedGenerator(said), PipelineSettings(refuse=False))
    shown = _shown(pipeline, "곰팡이는 무엇으로 닦나요?", live=live)
    assert shown.count(said) == 1
    assert "근거 사례" in shown
    assert "g2" in shown


@pytest.mark.parametrize("live", [True, False])
def test_nothing_said_can_command_the_terminal(retriever: Retriever, live: bool) -> None:
    pipeline = QAPipeline(retriever, ScriptedGenerator("가\x1b[2J나\x9b31m다. [1]"), PipelineSettings(refuse=False))
    shown = _shown(pipeline, "곰팡이는 무엇으로 닦나요?", live=live)
    assert "\x1b" not in shown
    assert "\x9b" not in shown
