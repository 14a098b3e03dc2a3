import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.types import Hit, QAGroup
from rag.citations import checked_stream, drop_invalid_markers, markers_of, without_markers
from rag.generators.base import GenerationRequest
from rag.support import citations_of, judge


def _hit(rank: int, answer: str) -> Hit:
    return Hit(QAGroup(f"g{rank}", ("q?",), (answer,)), "q?", answer, 0.9, rank)


def _request(*answers: str) -> GenerationRequest:
    return GenerationRequest.of("q?", [_hit(rank, answer) for rank, answer in enumerate(answers, 1)])


PIECES = ["벽지", " ", "[1]", "[2]", "[9]", "[", "]", "0", "7", ",", "［", "］", "[12", "끝.", "\n"]


@given(
    text=st.lists(
        st.sampled_from(PIECES),
        max_size=20,
    ),
    sizes=st.lists(st.integers(1, 5), max_size=60),
)
def test_a_stream_in_any_chunks_gives_the_checked_whole(text: list[str], sizes: list[int]) -> None:
    whole = "".join(text)
    chunks, rest = [], whole
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    pieces = list(checked_stream([*chunks, rest], examples=2))
    assert "".join(pieces) == "".join(list(checked_stream([whole], examples=2)))
    assert all(marker <= 2 for marker in markers_of("".join(pieces)))


def test_an_invalid_marker_never_reaches_the_reader_even_in_pieces() -> None:
    seen = list(checked_stream(["들뜹니다. ", "[", "7", "]", " 그리고 [1", "] 끝"], examples=1))
    assert "".join(seen) == "들뜹니다. 그리고 [1] 끝"
    assert not any("7" in piece for piece in seen)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("가 [[9]7] 나", "가 나"),
        ("가 [1, 9] 나", "가 [1] 나"),
        ("가 [ 2 ] 나", "가 [2] 나"),
        ("가 ［1］ 나", "가 [1] 나"),
    ],
)
def test_disguised_markers_are_read_as_what_they_mean(said: str, seen: str) -> None:
    assert "".join(checked_stream([said], examples=2)) == seen


def test_a_bracket_that_is_no_marker_is_passed_on() -> None:
    assert "".join(checked_stream(["값 [가", "로] 10"], 1)) == "값 [가로] 10"
    assert "".join(checked_stream(["끝 ["], 1)) == "끝 ["


def test_markers_are_dropped_with_their_space() -> None:
    assert drop_invalid_markers("가 [0] 나 [3] 다 [2]", 2) == "가 나 다 [2]"
    assert without_markers("가 [1] 나 [2].") == "가 나."


def test_copied_sentences_are_supported_and_invented_ones_are_not() -> None:
    request = _request(
        "풀이 마르면서 줄어들면 이음매가 벌어집니다. 창문은 2일 동안 닫아 두세요.", "곰팡이는 물기 때문에 생깁니다."
    )
    text = (
        "풀이 마르면서 줄어들면 이음매가 벌어집니다. [1] "
        "벽지는 한지로만 만들어야 오래갑니다. [2] "
        "창문은 5일 동안 닫아 두세요. [1] "
        "출처가 없는 문장입니다."
    )
    sentences = judge(text, request)
    assert [sentence.supported for sentence in sentences] == [True, False, False, False]
    assert [sentence.markers for sentence in sentences] == [(1,), (2,), (1,), ()]
    citations = citations_of(sentences, request)
    assert [(c.marker, c.group_id, c.supported) for c in citations] == [(1, "g1", False), (2, "g2", False)]


def test_a_turned_negation_is_not_supported() -> None:
    request = _request("락스와 산성 세제를 함께 쓰지 마세요. 환기를 자주 하세요.")
    turned, kept = judge("락스와 산성 세제를 함께 쓰세요. [1] 환기를 자주 하세요. [1]", request)
    assert not turned.supported
    assert kept.supported


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_said_has_no_sentences(text: str) -> None:
    assert judge(text, _request("답.")) == ()
