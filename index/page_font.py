"""The Korean font that our pages carry, so that they show Hangul on machines without any font that has it.

NanumGothic under the SIL Open Font License (`index/resources/hangul.OFL.txt`), as a `data:` URI.
"""

from base64 import b64encode
from functools import cache
from importlib.resources import files

# The reader's own Korean fonts come first. Behind a font that is there but has no Hangul ("system-ui") Chromium leaves
# what it drew before ours was decoded as boxes, so those come last.
FONT_FAMILIES = (
    '"Apple SD Gothic Neo","Malgun Gothic","Noto Sans KR","Noto Sans CJK KR","NanumGothic","Dobae Hangul",'
    "system-ui,sans-serif"
)


def font_face(text: str) -> str:
    """Returns the `@font-face` rule of a page with this text.

    A whole file is embedded, in base64: 242 KB with the 2,350 syllables of KS X 1001, or 371 KB with all 11,172 where a
    page has another ("뭥"). Cutting it down to each page's characters would save half of that, and ask for fontTools
    and Brotli on every machine that writes a report.

    Args:
        text: All that the page shows; HTML is fine.
    """
    return _face("hangul_all.woff2" if any(map(_is_rare, set(text))) else "hangul.woff2")


def _is_rare(char: str) -> bool:
    # What KS X 1001 lacks, Python's EUC-KR writes as a row of jamo of two bytes each.
    return "가" <= char <= "힣" and len(char.encode("euc_kr")) > 2


@cache
def _face(name: str) -> str:
    font = b64encode(files("index").joinpath("resources", name).read_bytes()).decode("ascii")
    return f"@font-face{{font-family:'Dobae Hangul';src:url(data:font/woff2;base64,{font}) format('woff2')}}\n"
