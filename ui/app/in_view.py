"""Brings what is new before the reader's eyes: what was opened, or the question just asked."""

from functools import cache
from typing import Any, Literal

_JS = """
// Streamlit, which keeps a conversation at its end, scrolls for about a second after the page has grown.
const WAITS = [100, 400, 800, 1200];

export default function ({ data, parentElement }) {
  // Drawn again with every run of the page; who has scrolled on meanwhile must not be brought back.
  if (parentElement.seen === data.what) return;
  parentElement.seen = data.what;
  const place = () => document.querySelector(`.st-key-${data.key}`);
  for (const wait of WAITS) setTimeout(() => place()?.scrollIntoView({ block: data.block }), wait);
}
"""


@cache
def _component() -> Any:
    from streamlit.components.v2 import component

    return component("dobae_in_view", js=_JS)


def in_view(key: str, what: object, *, block: Literal["start", "nearest"]) -> None:
    """Scrolls to a container, once for each thing that stands in it.

    Args:
        key: Of the container, which only one has.
        what: Stands in it.
        block: "start" puts its top to the window's top; "nearest" scrolls no further than needed.
    """
    _component()(data={"key": key, "what": repr(what), "block": block}, key=f"in_view_{key}")
