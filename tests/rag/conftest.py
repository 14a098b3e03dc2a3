"""Small real parts for the generator tests: a tokenizer trained on three lines, and a small random Llama."""

from pathlib import Path
from typing import Any

import pytest

from data.types import Hit, QAGroup
from rag import model_conversion, model_store
from tests.tiny_model import save_tiny_llama

_LINES = (
    "벽지가 들뜨는 이유는 접착제가 부족하거나 벽면에 습기가 있기 때문입니다.",
    "이음매에는 조인트 테이프를 붙이고 퍼티를 발라 평평하게 만듭니다.",
    "락스를 희석해 닦고 하루 동안 환기한 뒤 방습 도료를 바릅니다.",
)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return save_tiny_llama(folder, _LINES, vocabulary=320, spread=0.3, pad="<|im_end|>")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with model_conversion.quiet_progress():
        return AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_folder)


@pytest.fixture
def hits() -> tuple[Hit, ...]:
    pairs = (
        ("벽지가 들뜨는 이유는?", _LINES[0] + " 벽을 말린 뒤 다시 도배하세요."),
        ("석고보드 이음매는 어떻게 처리하나요?", _LINES[1]),
        ("곰팡이 제거 방법", _LINES[2]),
    )
    return tuple(
        Hit(QAGroup(f"g{rank}", (question,), (answer,)), question, answer, 0.9 - rank / 10, rank)
        for rank, (question, answer) in enumerate(pairs, 1)
    )


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real default generator, fetched once into the user's cache."""
    return model_store.pull()
