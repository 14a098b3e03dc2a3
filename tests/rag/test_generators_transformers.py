"""The local generator end to end: on a tiny random model for its behaviour, on the real one for its answers."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.chat import prompt_ids
from data.errors import AdapterMismatchError, GenerationError, InputError, ModelNotFoundError
from data.prompts import PROMPT_VERSION
from data.tokenizer_files import load_tokenizer
from data.types import Hit
from rag.generators.base import GenerationRequest
from rag.generators.decoding import Decoding
from rag.generators.digests import LocalModel
from rag.generators.transformers_model import TransformersGenerator

# PEFT 0.21 asks transformers 5.23 for a name that became deprecated; only making an adapter here meets it.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

ONE_THREAD = Decoding(prefill_threads=1, decode_threads=1)
MakeAdapter = Callable[..., Path]


@pytest.fixture
def make_adapter(tiny_folder: Path, tmp_path: Path) -> MakeAdapter:
    """Writes an adapter for the tiny model whose weights are not zero, so that it changes answers."""

    def make(card: dict[str, Any] | None = None, **config: Any) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(3)
        base = AutoModelForCausalLM.from_pretrained(tiny_folder)
        adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"]))
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.5)
        folder = tmp_path / "adapter"
        adapted.save_pretrained(folder)
        if card is not None:
            (folder / "dobae_adapter.json").write_text(json.dumps(card), encoding="utf-8")
        if config:
            path = folder / "adapter_config.json"
            path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | config), encoding="utf-8")
        return folder

    return make


def tiny(folder: Path, **options: Any) -> TransformersGenerator:
    return TransformersGenerator(str(folder), device="cpu", decoding=ONE_THREAD, **options)


def answer(generator: TransformersGenerator, request: GenerationRequest) -> str:
    return "".join(generator.stream(request))


def test_an_answer_streams_in_chunks_and_repeats_exactly(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    generator = tiny(tiny_folder)
    request = GenerationRequest.of("벽지가 들떠요", hits, 40)
    chunks = list(generator.stream(request))
    assert len(chunks) > 1
    assert "".join(chunks) == answer(generator, request)
    assert generator.name == "tiny"


def test_it_says_where_its_model_lies_and_runs(tiny_folder: Path, make_adapter: MakeAdapter) -> None:
    adapter = make_adapter({"base_model": "tiny"})
    generator = tiny(tiny_folder, adapter=adapter)
    assert isinstance(generator, LocalModel)
    assert (generator.folder, generator.adapter, generator.device) == (tiny_folder, adapter, "cpu")


def with_context(folder: Path, positions: int) -> Path:
    """Makes a copy of a model that sees fewer positions."""
    copy = folder.with_name(f"positions-{positions}")
    if not copy.exists():
        shutil.copytree(folder, copy)
        config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        (copy / "config.json").write_text(json.dumps(config | {"max_position_embeddings": positions}), encoding="utf-8")
    return copy


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    request = GenerationRequest.of("벽지", hits)
    length = len(prompt_ids(load_tokenizer(tiny_folder), request.messages))
    generator = tiny(with_context(tiny_folder, length + 63))
    with pytest.raises(GenerationError, match=rf"prompt has {length} tokens, .* show fewer or shorter examples"):
        answer(generator, request)
    assert answer(generator, replace(request, max_new_tokens=40))


def test_an_answer_ends_where_the_model_has_no_more_room(tiny_folder: Path) -> None:
    requests = [GenerationRequest.of(question, None) for question in ("벽지가 들뜨는 이유는?", "이음매는?")]
    lengths = [len(prompt_ids(load_tokenizer(tiny_folder), request.messages)) for request in requests]
    generator = tiny(with_context(tiny_folder, max(lengths) + 64))
    limits = [max(lengths) + 64 - length for length in lengths]
    free = tiny(tiny_folder)
    expected = [
        answer(free, replace(request, max_new_tokens=limit)) for request, limit in zip(requests, limits, strict=True)
    ]
    assert [answer(generator, request) for request in requests] == expected
    assert generator.generate_batch(requests) == expected


def test_a_quote_that_the_model_has_no_room_for_is_left_out(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    request = GenerationRequest.of("벽지", hits)
    length = len(prompt_ids(load_tokenizer(tiny_folder), request.messages))
    found = answer(tiny(with_context(tiny_folder, length + 64), quote=True), request)
    assert found == answer(tiny(tiny_folder, quote=True), replace(request, max_new_tokens=64))


def test_two_threads_share_one_model_and_get_their_own_answers(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    generator = tiny(tiny_folder)
    requests = [GenerationRequest.of(text, hits, 30) for text in ("벽지가 들떠요", "곰팡이가 폈어요", "이음매")]
    alone = [answer(tiny(tiny_folder), request) for request in requests]
    together = [""] * len(requests)

    def work(number: int) -> None:
        together[number] = answer(generator, requests[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_failure_inside_is_one_line(
    tiny_folder: Path, hits: tuple[Hit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> list[int]:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("rag.generators.decoding._choices", failing)
    with pytest.raises(GenerationError, match="tiny failed: out of memory"):
        answer(tiny(tiny_folder), GenerationRequest.of("벽지", hits, 5))


def test_an_adapter_changes_the_answer(tiny_folder: Path, make_adapter: MakeAdapter, hits: tuple[Hit, ...]) -> None:
    card = {"base_model": "tiny", "base_vocab_size": 320, "prompt_version": PROMPT_VERSION}
    adapted = tiny(tiny_folder, adapter=make_adapter(card))
    request = GenerationRequest.of("벽지가 들떠요", hits, 30)
    assert answer(adapted, request) != answer(tiny(tiny_folder), request)
    assert adapted.name == "tiny+adapter"


def test_merging_the_adapter_leaves_the_logits_alone(tiny_folder: Path, make_adapter: MakeAdapter) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = make_adapter()
    merged = tiny(tiny_folder, adapter=folder)._ensure().model
    apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_folder), folder).eval()
    ids = torch.arange(10, 60)[None]  # (1, 50)
    with torch.inference_mode():
        torch.testing.assert_close(merged(ids).logits, apart(ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("card", "config", "message"),
    [
        ({"base_model": "Qwen/Qwen3-0.6B"}, {}, "was trained for Qwen/Qwen3-0.6B; .*tiny was loaded"),
        ({"base_model": "tiny", "base_vocab_size": 99}, {}, "vocabulary of 99; .*tiny has 320"),
        ({"base_model": "tiny", "prompt_version": "0"}, {}, "prompt version 0"),
        ({"base_model": "tiny", "prompt_digest": "0" * 16}, {}, "prompts of digest 0000"),
        (None, {"base_model_name_or_path": "Qwen/Qwen3-0.6B"}, "was trained for Qwen/Qwen3-0.6B"),
    ],
)
def test_an_adapter_for_something_else_is_refused_in_one_line(
    tiny_folder: Path, make_adapter: MakeAdapter, card: dict[str, Any] | None, config: dict[str, Any], message: str
) -> None:
    folder = make_adapter(card, **config)
    with pytest.raises(AdapterMismatchError, match=message) as caught:
        tiny(tiny_folder, adapter=folder).load()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("layers.0.self_attn.q_proj.lora_A", (4, 48), "q_proj with 48 inputs; .* has 64"),
        ("layers.0.self_attn.q_proj.lora_B", (96, 4), "q_proj with 96 outputs; .* has 64"),
        ("layers.7.self_attn.q_proj.lora_A", (4, 64), "layers.7.self_attn.q_proj, which .* does not have"),
    ],
)
def test_tensors_of_another_shape_are_refused_before_they_are_loaded(
    tiny_folder: Path, make_adapter: MakeAdapter, name: str, shape: tuple[int, int], message: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = make_adapter() / "adapter_model.safetensors"
    save_file(load_file(path) | {f"base_model.model.model.{name}.weight": torch.zeros(shape)}, path)
    with pytest.raises(AdapterMismatchError, match=message):
        tiny(tiny_folder, adapter=path.parent).load()


def test_a_pickled_adapter_is_refused(tiny_folder: Path, make_adapter: MakeAdapter) -> None:
    folder = make_adapter()
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(InputError, match="pickle"):
        tiny(tiny_folder, adapter=folder)


def test_a_damaged_adapter_is_refused(tiny_folder: Path, make_adapter: MakeAdapter) -> None:
    folder = make_adapter()
    (folder / "adapter_model.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(InputError, match="damaged"):
        tiny(tiny_folder, adapter=folder).load()


def test_a_folder_without_adapter_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"adapter_config\.json is missing"):
        tiny(tiny_folder, adapter=tmp_path)


def test_a_model_transformers_cannot_read_is_one_line(tiny_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder, broken)
    (broken / "config.json").write_text('{"model_type": "no_such_type"}', encoding="utf-8")
    with pytest.raises(ModelNotFoundError, match="cannot load") as caught:
        tiny(broken).load()
    assert "\n" not in str(caught.value)


def test_four_bits_need_a_gpu(tiny_folder: Path) -> None:
    with pytest.raises(InputError, match="needs a CUDA GPU"):
        TransformersGenerator(str(tiny_folder), device="cpu", quantization="nf4")
    with pytest.raises(InputError, match='unknown quantization "int3"'):
        TransformersGenerator(str(tiny_folder), quantization="int3")


@pytest.mark.integration
def test_four_bits_load_with_an_adapter_and_answer(
    tiny_folder: Path, make_adapter: MakeAdapter, hits: tuple[Hit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # bitsandbytes computes NF4 on a CPU too, slowly: enough to run the path a GPU takes.
    pytest.importorskip("bitsandbytes")
    generator = TransformersGenerator(str(tiny_folder), adapter=make_adapter(), quantization="nf4", decoding=ONE_THREAD)
    generator._device = "cpu"
    monkeypatch.setattr(TransformersGenerator, "_needs_cuda", lambda *_: None)
    model = generator._ensure().model
    assert any(type(module).__name__ == "Linear4bit" for module in model.modules())
    assert any("lora_A" in name for name, _ in model.named_parameters()), "4-bit weights must not take the merge"
    assert answer(generator, GenerationRequest.of("벽지", hits, 10)) is not None


@pytest.mark.gpu
def test_four_bits_answer_on_a_gpu(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    generator = TransformersGenerator(str(tiny_folder), device="cuda", quantization="nf4")
    assert isinstance(answer(generator, GenerationRequest.of("벽지", hits, 10)), str)


@pytest.fixture(scope="module")
def real(smollm2: Path) -> TransformersGenerator:
    return TransformersGenerator(decoding=ONE_THREAD)


@pytest.mark.integration
@pytest.mark.parametrize(
    "question",
    ["벽지가 들떠요", "이음매 처리 방법은?", "곰팡이가 폈어요", "천장 몰딩이 벌어졌는데요?", "장판과 강마루의 차이는?"],
)
def test_the_real_model_says_the_same_with_and_without_prompt_lookup(
    real: TransformersGenerator, hits: tuple[Hit, ...], question: str
) -> None:
    plain = TransformersGenerator(decoding=Decoding(max_draft=0, prefill_threads=1, decode_threads=1))
    plain._loaded = real._ensure()
    request = GenerationRequest.of(question, hits, 48)
    expected = answer(plain, request)
    assert answer(real, request) == expected
    assert len(expected) > 5
    assert "\ufffd" not in expected


def test_a_batch_answers_as_streams_do(tiny_folder: Path, hits: tuple[Hit, ...]) -> None:
    generator = tiny(tiny_folder)
    requests = [
        GenerationRequest.of("벽지가 들뜨는 이유는?", None, 60),
        GenerationRequest.of("곰팡이 제거 방법을 알려주세요", None, 60),
        GenerationRequest.of("이음매는?", hits[:1], 60),
    ]
    assert generator.generate_batch(requests) == [answer(generator, request) for request in requests]


def test_a_quoting_model_answers_a_batch_together_where_it_has_nothing_to_quote(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [GenerationRequest.of(question, None, 20) for question in ("이음매는?", "곰팡이 제거 방법은?")]
    expected = tiny(tiny_folder).generate_batch(requests)
    generator = tiny(tiny_folder, quote=True)
    monkeypatch.setattr(generator, "stream", lambda request: pytest.fail("one by one"))
    assert generator.generate_batch(requests) == expected


def test_a_model_whose_cache_forgets_answers_a_batch_one_by_one(
    tiny_folder: Path, hits: tuple[Hit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.generators.transformers_model.keeps_everything", lambda model: False)
    monkeypatch.setattr("rag.generators.transformers_model.greedy_batch", lambda *args, **rest: pytest.fail("batched"))
    generator = tiny(tiny_folder)
    requests = [GenerationRequest.of("이음매는?", hits[:count], 20) for count in (1, 2)]
    assert generator.generate_batch(requests) == [answer(generator, request) for request in requests]
