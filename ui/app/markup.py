"""The only place where the page makes HTML or Markdown from text; everything that comes in is escaped here.

Text of people and of the knowledge base reaches Streamlit in one of two forms: `st.html(block(...))`, or a `label`.
Only what Streamlit shows as plain text takes it as it is: fields, options of select boxes, tables, code.
"""

import re
from html import escape

from index.korean import HEAD

STYLE = """<style>
[data-testid="stApp"] * { word-break: keep-all !important; }
.dobae-text, [data-testid="stMarkdownContainer"] * { overflow-wrap: anywhere !important; }
[data-testid="stBaseButton-tertiary"] * { justify-content: start; text-align: start; white-space: normal !important; }
[data-testid^="stBaseButton-primary"] { color: light-dark(#fff, #0b0c10) !important; }
[data-testid="stCode"] > div:has(button) { opacity: 1 !important; visibility: visible !important; }
[data-testid="stCode"] pre { padding-right: 3.5rem !important; }
.st-key-example, .st-key-newest, .st-key-said { scroll-margin: 5rem 0; }
</style>"""
"""Of every page: Korean lines break between words, and inside one only where it is longer than its line; buttons that
look like text are set as text. Streamlit writes white on the dark theme's bright buttons, and shows the button that
copies only to those who point at it, not to a finger or the keyboard."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_WORDS = re.compile(r"\w+|\W+")


def label(text: str) -> str:
    """Returns a text for places that read Markdown (buttons, messages), so that it shows as it is, on one line."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def block(text: str, *, css_class: str = "dobae-text") -> str:
    """Returns a text as one HTML block; line breaks show."""
    return f'<div class="{escape(css_class)}" style="white-space:pre-wrap">{escape(text)}</div>'


def highlighted(text: str, question: str) -> str:
    """Returns a text as one HTML block, the words that `question` shares with it marked.

    Words are compared by their first two syllables, as the index does: endings and particles differ.
    """
    heads = {word[:HEAD] for word in re.findall(r"\w+", question.casefold()) if len(word) >= HEAD}
    pieces = [
        f"<mark>{escape(piece)}</mark>" if piece[:HEAD].casefold() in heads else escape(piece)
        for piece in _WORDS.findall(text)
    ]
    return f'<div class="dobae-text" style="white-space:pre-wrap">{"".join(pieces)}</div>'
