"""What reaches the reader: whole syllables, and no loop."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generators.textstream import RepetitionGuard, TextDecoder

NORMAL = (
    "벽지가 들뜨는 이유는 습기 때문입니다. [1] 먼저 벽을 말립니다. [1] 그다음 초배지를 바릅니다. [2]",
    "1. 벽지를 제거합니다. 2. 벽면을 말립니다. 3. 초배지를 바릅니다. 4. 정배지를 바릅니다.",
    "1층 벽면 3.2mm, 2층 벽면 3.1mm, 3층 벽면 3.0mm, 4층 벽면 2.9mm, 5층 벽면 2.8mm 차이가 납니다.",
    "네, 네, 네, 그렇습니다. ㅋㅋㅋㅋㅋ 하하하하",
    "| 항목 | 값 |\n|---------|---------|\n| 벽지 | 합지 |\n" + "-" * 40,
    "실크벽지는 비싸고 합지벽지는 쌉니다. 실크벽지는 비싸고 합지벽지는 쌉니다. 다릅니다.",
)
LOOP = "벽을 말린 뒤 다시 바릅니다. [1] "


def chunked(text: str, seed: int) -> list[str]:
    rng, chunks = random.Random(seed), []
    while text:
        size = rng.randint(1, 9)
        chunks.append(text[:size])
        text = text[size:]
    return chunks


def guarded(chunks: list[str]) -> tuple[str, bool]:
    guard = RepetitionGuard()
    text = "".join(guard.push(chunk) for chunk in chunks)
    return text + guard.finish(), guard.looping


@pytest.mark.parametrize("text", NORMAL)
@pytest.mark.parametrize("seed", range(3))
def test_normal_text_passes_unchanged(text: str, seed: int) -> None:
    assert guarded(chunked(text, seed)) == (text, False)


@pytest.mark.parametrize("seed", range(5))
def test_a_sentence_said_over_and_over_is_shown_once(seed: int) -> None:
    shown, looping = guarded(chunked("먼저 확인합니다. [2] " + LOOP * 6, seed))
    assert looping
    assert shown.rstrip() == "먼저 확인합니다. [2] " + LOOP.rstrip()


def test_a_loop_inside_one_chunk_is_cut_too() -> None:
    assert guarded([LOOP * 10]) == (LOOP, True)


def test_a_numbered_loop_is_a_loop() -> None:
    shown, looping = guarded(chunked("".join(f"{n}. 벽면의 하자를 확인합니다. " for n in range(1, 9)), 0))
    assert looping
    assert shown.rstrip().endswith("1. 벽면의 하자를 확인합니다.")


def test_the_same_sentence_under_other_markers_is_a_loop() -> None:
    shown, looping = guarded(chunked("".join(f"벽을 말린 뒤 바릅니다. [{n}] " for n in (1, 2, 3, 1)), 0))
    assert (shown.rstrip(), looping) == ("벽을 말린 뒤 바릅니다. [1]", True)


@pytest.mark.parametrize("unit", ["네", "도배 ", "[1] ", "들뜸들뜸은 "])
def test_a_short_unit_without_end_is_a_loop(unit: str) -> None:
    shown, looping = guarded(chunked("답: " + unit * 60, 1))
    assert looping
    assert len(shown) < 30


@given(st.text(alphabet="벽지가 나다. [1]2", max_size=150), st.integers(0, 99))
def test_what_is_shown_never_depends_on_chunking(text: str, seed: int) -> None:
    shown, looping = guarded(chunked(text, seed))
    assert (shown, looping) == guarded(list(text))
    assert text.startswith(shown)
    assert looping or shown == text


@pytest.mark.parametrize("text", ["벽지가 쀍 들떠요 — 0.3mm 😀👨‍👩‍👧 끝", "  앞뒤 공백  ", "한\n둘\n\n1. 셋"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_tokens_become_whole_characters(tiny_tokenizer: Any, text: str, size: int) -> None:
    tokens = tiny_tokenizer.encode(text, add_special_tokens=False)
    decoder = TextDecoder(tiny_tokenizer)
    chunks = [decoder.push(tokens[start : start + size]) for start in range(0, len(tokens), size)]
    assert "".join(chunks) == text
    assert not any("\ufffd" in chunk for chunk in chunks)
    if size == 1:
        assert sum(map(bool, chunks)) > len(text) / 3, "the stream must flow, not come at the end"


def test_bytes_that_are_no_character_are_dropped(tiny_tokenizer: Any) -> None:
    half = tiny_tokenizer.encode("쀍", add_special_tokens=False)[:-1]
    rest = tiny_tokenizer.encode(" 벽지", add_special_tokens=False)
    decoder = TextDecoder(tiny_tokenizer)
    assert decoder.push(half) == ""
    assert decoder.push(rest) + decoder.push(half) == " 벽지"
