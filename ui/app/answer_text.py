"""The answer's text with markers to click: a component whose script makes every node from text, never from HTML."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from rag.answer import Sentence
from rag.citations import MARKER
from ui.app.session import say

_CSS = """
p { margin: 0; line-height: 1.75; font-family: var(--st-font); color: var(--st-text-color); overflow-wrap: anywhere; }
button { font: inherit; font-weight: 600; border: 0; border-radius: .5rem; padding: 0 .45rem; cursor: pointer;
  background: var(--st-secondary-background-color); color: var(--st-link-color); }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
.unsupported { text-decoration: underline wavy; text-underline-offset: .25em; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const paragraph = parentElement.querySelector("p");
  paragraph.replaceChildren();
  for (const sentence of data.sentences) {
    const span = document.createElement("span");
    if (!sentence.supported) { span.className = "unsupported"; span.title = data.unsupported; }
    for (const piece of sentence.pieces) {
      if (piece.marker === null) { span.append(piece.text); continue; }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = piece.text;
      button.setAttribute("aria-label", piece.label);
      button.onclick = () => setTriggerValue("marker", piece.marker);
      span.append(button);
    }
    paragraph.append(span, " ");
  }
}
"""


@cache
def _component() -> Any:
    from streamlit.components.v2 import component

    return component("dobae_answer", html="<p></p>", css=_CSS, js=_JS)


def answer_text(sentences: Sequence[Sentence], *, key: str) -> int | None:
    """Shows judged sentences.

    Args:
        sentences: The answer.
        key: Unique on the page.

    Returns:
        The marker just clicked, or None.
    """
    data = {
        "unsupported": say("answer.unsupported"),
        "sentences": [{"supported": sentence.supported, "pieces": _pieces(sentence)} for sentence in sentences],
    }
    clicked = _component()(data=data, key=key, on_marker_change=lambda: None).marker
    known = {marker for sentence in sentences for marker in sentence.markers}
    return clicked if isinstance(clicked, int) and clicked in known else None  # The browser may send anything.


def _pieces(sentence: Sentence) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    end = 0
    for match in MARKER.finditer(sentence.text):
        marker = int(match[1])
        pieces.append({"text": sentence.text[end : match.start()], "marker": None, "label": ""})
        pieces.append({"text": match[0], "marker": marker, "label": say("source_open", marker=marker)})
        end = match.end()
    return [*pieces, {"text": sentence.text[end:], "marker": None, "label": ""}]
