"""A random Llama of 100,000 weights, a byte-level tokenizer, and small runs that need no real encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.types import QAGroup
from index.encoders import base as encoders
from index.encoders.base import HashEncoder
from tests.dacon_file import write_dacon_file
from tests.tiny_model import save_tiny_llama
from training.config import TrainConfig
from training.config_file import parse_config

_PLACES = ("거실", "안방", "욕실", "주방", "현관", "베란다", "복도", "서재", "창고", "다락")
_FAULTS = ("벽지가 들뜨면", "곰팡이가 피면", "타일이 깨지면", "몰딩이 벌어지면")

MakeConfig = Callable[..., TrainConfig]


def made_groups() -> tuple[QAGroup, ...]:
    """Forty groups, a place and a fault each, with two wordings and three answers."""
    return tuple(
        QAGroup(
            f"g{number:02}",
            (f"{place} {fault} 어떻게 하나요?", f"{fault} {place} 어케 해"),
            tuple(
                f"{place}에서 {fault} 먼저 {way} 고칩니다. 그다음 하루 말립니다." for way in ("닦고", "뜯고", "말려")
            ),
            "마감하자",
        )
        for number, (place, fault) in enumerate((place, fault) for place in _PLACES for fault in _FAULTS)
    )


@pytest.fixture(scope="session")
def many_groups() -> tuple[QAGroup, ...]:
    return made_groups()


@pytest.fixture(scope="session")
def groups_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("training-data") / "qa.csv"
    write_dacon_file(path, made_groups())
    return path


@pytest.fixture
def hash_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "make_encoder", lambda _settings: HashEncoder())


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers.utils import logging

    logging.disable_progress_bar()
    texts = [text for group in made_groups() for text in (*group.questions, *group.answers)]
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    return save_tiny_llama(folder, texts, vocabulary=700, spread=0.1, pad="<|endoftext|>", tied=True)


@pytest.fixture(scope="session")
def tokenizer(base: Path) -> Any:
    from training.models import load_tokenizer

    return load_tokenizer(base)


def table(groups_file: Path, base: Path, out: Path) -> dict[str, dict[str, Any]]:
    """The sections of a small run, as TOML would give them."""
    return {
        "model": {"base": str(base)},
        "adapter": {"targets": ["all-linear"], "r": 8, "alpha": 16},
        "data": {"files": [str(groups_file)], "held_out": 0.2, "encoder": "hash", "max_length": 1600},
        "mix": {
            "rows": 24,
            "closed_book": 0.25,
            "grounded": 0.5,
            "compound": 0.0,
            "unanswerable": 0.25,
            "examples": 2,
            "near_duplicate": 0.99,
            "held_out_rows": 4,
        },
        "optimisation": {"learning_rate": 1e-2, "accumulation": 2, "warmup": 0.0},
        "precision": {"device": "cpu", "weights": "float32", "threads": 1},
        "logging": {"report_to": "none", "every": 1},
        "output": {"dir": str(out), "save_every": 5},
    }


@pytest.fixture
def make_config(groups_file: Path, base: Path, tmp_path: Path) -> MakeConfig:
    """Makes the configuration of a small run; keywords are sections with what differs."""

    def make(**changes: dict[str, Any]) -> TrainConfig:
        sections = table(groups_file, base, tmp_path / "run")
        for name, values in changes.items():
            sections[name] |= values
        return parse_config(sections, "small")

    return make
