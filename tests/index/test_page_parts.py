"""Pages show Korean anywhere and ask for nothing outside themselves."""

import re
from base64 import b64decode

import pytest

from index.charts import histogram
from index.page_parts import document

_FONT = re.compile(
    r"@font-face\{font-family:'Dobae Hangul';src:url\(data:font/woff2;base64,([\w+/=]+)\) format\('woff2'\)\}"
)


def _font(page: str) -> bytes:
    (found,) = _FONT.findall(page)
    return b64decode(found, validate=True)


def test_a_page_brings_its_korean_font_and_asks_for_nothing() -> None:
    page = document("점검", ["<p>벽지</p>"])
    assert _font(page).startswith(b"wOF2")
    assert re.findall(r"url\(\s*(?!data:font/woff2;)", page) == []
    assert not re.search(r"(?:src|href)=|https?://|@import", page)
    assert "default-src 'none'; style-src 'unsafe-inline'; font-src data:" in page
    assert len(page) < 300_000


def test_our_font_stands_before_fonts_without_hangul() -> None:
    # Chromium leaves boxes where a font that is there stands before one that is still decoded.
    families = re.search(r"font:15px/1.6 (.*?);", document("", []))
    assert families
    names = families[1].split(",")
    assert names.index('"Malgun Gothic"') < names.index('"Dobae Hangul"') < names.index("system-ui")
    assert "svg text{font:" not in document("", [])


@pytest.mark.parametrize("rare", ["뭥", "햏"])
def test_a_rare_syllable_brings_the_font_that_has_it(rare: str) -> None:
    assert len(_font(document("", [rare]))) > len(_font(document("", ["쌀"])))


def test_the_bins_of_whole_numbers_do_not_overlap_and_the_last_says_that_it_is_open() -> None:
    drawn = histogram("길이", [0, 5, 10], [3, 4], "글자", whole=True, cut=True)
    assert re.findall("<title>(.*?)</title>", drawn) == ["0–4 글자: 3", "5+ 글자: 4"]
    drawn = histogram("길이", [0, 1, 2], [3, 4], "글자", whole=True)
    assert re.findall("<title>(.*?)</title>", drawn) == ["0 글자: 3", "1 글자: 4"]
