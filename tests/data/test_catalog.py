import re

from data.catalog import catalogue, message, speaking


def _placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"{(\w+)", text))


def test_both_languages_say_the_same_things() -> None:
    korean, english = catalogue("ko"), catalogue("en")
    shape = {(section, name): _placeholders(text) for section, texts in korean.items() for name, text in texts.items()}
    assert shape == {
        (section, name): _placeholders(text) for section, texts in english.items() for name, text in texts.items()
    }


def test_a_language_ends_with_its_block() -> None:
    with speaking("en"):
        assert message("answer.unsupported") == "needs checking"
    assert message("answer.unsupported") == "근거 확인 필요"
