"""Foreign errors quoted in one line of ours."""

from data.errors import one_line


def test_a_foreign_text_stays_on_one_line_and_is_cut_between_words() -> None:
    assert one_line("first\n  second\tthird") == "first second third"
    assert one_line("one two three", limit=11) == "one two …"
    assert one_line("x" * 50, limit=10) == "x" * 8 + " …"
    assert all(len(one_line("ab " * count, limit=20)) <= 20 for count in range(30))


def test_an_error_without_a_text_is_named() -> None:
    assert one_line(KeyError()) == "KeyError"
