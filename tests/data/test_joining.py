"""Compound questions: what is joined, what never is, and whether the splitter takes them apart again."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import FileFormatError, InputError
from data.exact import neutralised
from data.join_files import read_ids, read_links, write_joined
from data.joining import join_groups
from data.readers import read_groups
from data.split import near_duplicates
from data.types import QAGroup

_TOPICS = ("벽지", "몰딩", "타일", "장판", "창틀", "페인트", "걸레받이", "석고보드", "실리콘", "마루")
_ASKS = ("틈을 메우는 방법은 무엇인가요?", "색이 변하는 이유는 무엇인가요?", "수명은 얼마인가요?")


def _groups() -> list[QAGroup]:
    return [
        QAGroup(f"{topic}{number}", (f"{topic} {ask}",), (f"{topic} 첫 답.", f"{topic} 둘째 답."), topic, "시험")
        for topic in _TOPICS
        for number, ask in enumerate(_ASKS)
    ]


def test_the_same_seed_gives_the_same_joins_and_another_seed_others() -> None:
    groups = _groups()
    assert join_groups(groups, seed=3) == join_groups(groups, seed=3)
    assert join_groups(groups, seed=3) != join_groups(groups, seed=4)


def test_a_join_holds_both_questions_and_marks_both_answers() -> None:
    for join in join_groups(_groups(), count=60).joined:
        first, second = join.parts
        assert join.question.index(first) < join.question.rindex(second)
        assert len(join.answers) == 2
        for number, answer in enumerate(join.answers):
            heads = answer.split("\n\n")
            assert [part.split("\n")[0] for part in heads] == [f"1. {first}", f"2. {second}"]
            topics = [group_id[:-1] for group_id in join.group_ids]
            assert [part.split("\n")[1] for part in heads] == [
                f"{topic} {('첫', '둘째')[number]} 답." for topic in topics
            ]


def test_every_group_is_joined_about_as_often_as_any_other() -> None:
    uses = Counter(group_id for join in join_groups(_groups(), count=150).joined for group_id in join.group_ids)
    assert len(uses) == 30
    assert max(uses.values()) - min(uses.values()) <= 5


def test_both_orders_of_two_groups_occur() -> None:
    pairs = {join.group_ids for join in join_groups(_groups(), count=2_000).joined}
    assert sum((second, first) in pairs for first, second in pairs) > 100


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), held=st.sets(st.sampled_from([group.id for group in _groups()]), min_size=2))
def test_held_out_groups_are_joined_only_with_one_another(seed: int, held: set[str]) -> None:
    for join in join_groups(_groups(), seed=seed, held_out=held).joined:
        assert {group_id in held for group_id in join.group_ids} == {join.held_out}


def test_near_duplicates_and_linked_groups_are_never_joined() -> None:
    groups = [QAGroup(f"g{n}", (f"벽지 이음매가 벌어지는 이유는 무엇인가요{'?' * n}",), ("답.",)) for n in range(4)]
    groups.append(QAGroup("other", ("장판의 수명은 얼마인가요?",), ("답.",)))
    assert len(near_duplicates(groups)) == 6
    assert all("other" in join.group_ids for join in join_groups(groups, count=4).joined)
    linked = join_groups(groups, count=4, links=[("other", "g0"), ("g1", "other")]).joined
    assert {group_id for join in linked for group_id in join.group_ids} == {"other", "g2", "g3"}


def test_nothing_to_join_is_one_line() -> None:
    twins = [QAGroup(f"g{n}", ("벽지가 뜨는 이유는 무엇인가요?",), ("답.",)) for n in range(2)]
    with pytest.raises(InputError, match="no two of 2 groups"):
        join_groups(twins)


def test_an_unknown_held_out_id_is_named() -> None:
    with pytest.raises(InputError, match="'nobody'"):
        join_groups(_groups(), held_out=["nobody"])


def test_links_to_unknown_groups_are_counted_and_a_file_of_nothing_else_is_refused() -> None:
    groups = _groups()
    known = (groups[0].id, groups[1].id)
    notes = join_groups(groups, links=[known, (known[0], "nobody"), ("no", "one")]).notes
    assert notes == ("2 of 3 links name an id that is in no group, first: 'nobody'",)
    with pytest.raises(InputError, match="2 of 2 links name an id that is in no group, first: 'nobody'; give pairs"):
        join_groups(groups, links=[(known[0], "nobody"), ("no", "one")])


def test_links_come_two_a_line_or_from_an_audit(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_text("a,b\n\nc\td\n", "utf-8")
    assert read_links(path) == [("a", "b"), ("c", "d")]
    path.write_text(f'first_id,second_id,first_question\n"a,1",{neutralised("=b")},"벽지, 값?"\n', "utf-8-sig")
    assert read_links(path) == [("a,1", "=b")]
    path.write_text("a,b\nc\n", "utf-8")
    with pytest.raises(FileFormatError, match="line 2: needs two ids"):
        read_links(path)


def test_too_few_joins_are_said() -> None:
    result = join_groups(_groups()[:2] + _groups()[5:6], count=5_000)
    assert "only" in result.notes[0]
    assert "of 5000 joins" in result.notes[0]


def test_a_symptom_or_two_sentences_are_not_taken_for_one_question() -> None:
    groups = [
        QAGroup("symptom", ("벽지가 자꾸 벌어져요",), ("답.",)),
        QAGroup("two", ("벽지가 왜 뜨나요? 어떻게 고치나요?",), ("답.",)),
        *_groups()[:6],
    ]
    result = join_groups(groups, count=50)
    assert result.notes[0] == "2 groups have no wording that can be joined"
    assert not {"symptom", "two"} & {group_id for join in result.joined for group_id in join.group_ids}


def test_written_joins_are_read_back_as_groups(tmp_path: Path) -> None:
    joined = join_groups(_groups()).joined
    path = tmp_path / "joined.jsonl"
    write_joined(path, joined)
    groups = read_groups(path).groups
    assert [group.questions[0] for group in groups] == [join.question for join in joined]
    # The readers close up blank lines; the part headings still tell the two answers apart.
    assert [group.answers for group in groups] == [
        tuple(answer.replace("\n\n", "\n") for answer in join.answers) for join in joined
    ]
    row = json.loads(path.read_text("utf-8").splitlines()[0])
    assert {"question", "parts", "group_ids", "answers", "style", "connective", "registers", "held_out"} <= set(row)


def test_held_out_ids_come_from_a_list_or_from_groups(tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("g1\n\n g2 \n", "utf-8")
    assert read_ids(listed) == {"g1", "g2"}
    table = tmp_path / "groups.csv"
    table.write_text("id,질문_1,답변_1\ng3,벽지?,답\n", "utf-8")
    assert read_ids(table) == {"g3"}
    with pytest.raises(FileFormatError, match="no such file"):
        read_ids(tmp_path / "none.txt")


def test_particles_follow_the_final_consonant() -> None:
    relations = [join for join in join_groups(_groups(), count=600).joined if join.style == "relation"]
    assert len(relations) > 20
    for join in relations:
        first = join.parts[0]
        assert f"{first}{'과' if first.endswith('방법') else '와'} " in join.question


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("들뜬 마루는 접착제로 보수할 수 있나요, 교체해야 하나요?", "벽지가 우는 이유가 뭐야?"),
        ("누수 잡았는데 바로 도배해도 되나요 아님 말려야 되나요?", "벽지가 우는 이유가 뭐야?"),
        ("벽지가 우는 이유가 뭐야?", "문짝이 뒤틀려 잘 닫히지 않는데 해결 방법이 무엇인가요?"),
        ("벽지가 우는 이유가 뭐야?", "벽면을 고르게 다듬고 나서 벽지를 발라야 하나요?"),
        ("벽지가 우는 이유가 뭐야?", "필름은 어떤 곳에 쓰고 장단점은 무엇인가요?"),
        ("벽지가 우는 이유가 뭐야?", "비용이 생기는 이유와 줄이는 방법이 뭔가요?"),
    ],
)
def test_only_one_plain_matter_goes_into_a_relation(first: str, second: str) -> None:
    groups = [QAGroup(name, (text,), ("답.",)) for name, text in (("a", first), ("b", second))]
    styles = {join.style for seed in range(60) for join in join_groups(groups, count=2, seed=seed).joined}
    assert "connective" in styles
    assert "relation" not in styles


def test_a_relation_takes_the_noun_phrase_where_there_is_one() -> None:
    groups = [
        QAGroup("a", ("벽지는 왜 우나요?", "벽지가 우는 이유가 뭐야?"), ("답.",)),
        QAGroup("b", ("장판을 꼭 바꿔야 하나요?",), ("답.",)),
    ]
    made = (join_groups(groups, count=1, seed=seed).joined[0] for seed in range(80))
    relations = {join.parts for join in made if join.style == "relation"}
    assert relations <= {
        ("벽지가 우는 이유", "장판을 꼭 바꿔야 하는지"),
        ("장판을 꼭 바꿔야 하는지", "벽지가 우는 이유"),
    }
    assert relations


def test_a_request_is_closed_by_a_full_stop() -> None:
    groups = [QAGroup("a", ("실리콘을 다시 쏘는 순서 알려줘",), ("답.",)), QAGroup("b", ("도배 순서는?",), ("답.",))]
    made = [join_groups(groups, count=1, seed=seed).joined[0].question for seed in range(30)]
    assert any("알려줘. " in text for text in made)
    assert not any("알려줘?" in text for text in made)


@pytest.mark.integration
def test_the_splitter_takes_joins_apart_again(starter_groups: tuple[QAGroup, ...]) -> None:
    from rag.decompose import decompose

    joined = [join for seed in (0, 1) for join in join_groups(starter_groups, count=300, seed=seed).joined]
    assert len({join.question for join in joined}) > 550
    split = Counter[str]()
    exact = 0
    for join in joined:
        parts = decompose(join.question)
        split[join.style] += len(parts) == 2
        exact += parts == join.parts
    styles = Counter(join.style for join in joined)
    assert set(styles) == {"connective", "none", "comma", "missing_break", "relation"}
    assert split.total() >= 0.95 * len(joined), {style: (split[style], styles[style]) for style in styles}
    assert exact >= 0.95 * len(joined)


def test_registers_are_mixed_but_mostly_the_same(starter_groups: tuple[QAGroup, ...]) -> None:
    joined = join_groups(starter_groups, count=600).joined
    mixed = sum(join.registers[0] != join.registers[1] for join in joined)
    assert 0.05 < mixed / len(joined) < 0.5
    assert all(first.question != second.question for first, second in pairwise(joined))
