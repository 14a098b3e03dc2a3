"""What the visitor's browser says while the server is away, and once it is back; Streamlit's own words, translated.

Streamlit speaks English in places that no option reaches: the window that says the server is gone, the field for
files, the hints below fields, the document's language. A script in the page puts the catalogue's words there, text for
text. The same script knows, across a reconnection, which process and which session answered before, and says so when it
is another.
"""

import secrets
from functools import cache
from typing import Any

import streamlit as st

from ui.app.session import language, say

SERVER = secrets.token_hex(8)
"""Names this process."""

# A text of Streamlit, whole, and the key of ours; "$1" is what stands in the parentheses.
_WORDS = (
    (r"Connection error", "gone_title"),
    (r"Streamlit server is not responding\. Are you connected to the internet\?", "gone"),
    (r"Is Streamlit still running\? If you accidentally stopped Streamlit, .*", "gone"),
    (r"Connection timed out\.", "gone"),
    (r"streamlit run yourscript\.py", "gone_command"),
    (r"Connecting", "gone_connecting"),
    (r"Upload", "file_choose"),
    (r"Drag and drop a file here", "file_drop"),
    (r"(\d+)(?:\.0)? ?MB per file", "file_limit"),
    (r"File must be (\d+)(?:\.0)? ?MB or smaller\.", "file_too_large"),
    (r".* files are not allowed\.", "file_kind"),
    (r"Error:", "file_refused"),
    (r"file upload", "file_choose"),
    (r"Add files|add icon", "file_add"),
    (r"Remove (.+)", "file_remove"),
    (r"Copy to clipboard", "copy"),
    (r"Copied", "copied"),
    (r"Press (.+) to apply", "press_apply"),
    (r"Press (.+) to submit form", "press_submit"),
    (r"No results", "none_found"),
)
_KEPT = {"limit": "$1", "name": "$1", "keys": "$1"}
"""What stands in the parentheses, by the name that a text of ours gives it."""
_PLACES = (
    "[role=dialog], [data-testid=stConnectionStatus], [data-testid=stFileUploader], [data-testid=InputInstructions],"
    " [data-testid=stElementToolbarButton], [data-testid=stTooltipContent], [data-baseweb=popover]"
)
_CSS = """
section { position: fixed; z-index: 1000; top: 3.8rem; right: 4vw; display: flex; gap: 1rem;
  align-items: center; box-sizing: border-box; width: min(40rem, 92vw); padding: .9rem 1.2rem; border-radius: .6rem;
  border: 1px solid var(--st-primary-color); background: var(--st-background-color); color: var(--st-text-color);
  font-family: var(--st-font); line-height: 1.6; box-shadow: 0 .3rem 1.5rem rgb(0 0 0 / 25%); word-break: keep-all; }
section[hidden] { display: none; }
span { flex: 1; }
button { font: inherit; font-weight: 600; flex: none; border: 0; border-radius: .5rem; padding: .3rem .8rem;
  cursor: pointer; background: var(--st-secondary-background-color); color: var(--st-text-color); }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
"""
_HTML = '<section role="status" hidden><span></span><button type="button"></button></section>'
_JS = """
const KNOWN = "dobae-server";

function remembered(value) {
  try {
    const before = sessionStorage.getItem(KNOWN);
    sessionStorage.setItem(KNOWN, value);
    return before ?? value;
  } catch { return value; }  // A browser may forbid it.
}

export default function ({ data, parentElement }) {
  document.documentElement.lang = data.language;
  const notice = parentElement.querySelector("section");
  const button = notice.querySelector("button");
  button.textContent = data.close;
  // The tab outlives a reload, the window only a reconnection: a reload alone brings a new session and is no loss.
  const page = (window.dobae ??= { session: data.session, away: false, said: null, alert: null });
  if (remembered(data.server) !== data.server || page.session !== data.session) page.said = data.lost;
  page.session = data.session;
  const show = () => {  // What is drawn here may be drawn anew at any time, so what is said is kept by the page.
    notice.querySelector("span").textContent = page.said ?? "";
    notice.hidden = page.said === null;
  };
  button.onclick = () => { page.said = null; show(); };
  show();

  const words = data.words.map(([found, said]) => [new RegExp(found), said]);
  const translated = (text) => {
    const known = words.find(([found]) => found.test(text));
    return known === undefined ? text : text.replace(known[0], known[1]);
  };
  // A file that is refused stays in the field beside the next one; then it is no longer what one waits for.
  const over = (alert) => {
    if (!alert.isConnected) return true;
    const chips = alert.closest(data.files)?.querySelectorAll(data.file) ?? [];
    return chips.length > 0 && !chips[chips.length - 1].contains(alert);
  };
  let due = false;
  const translate = () => {
    due = false;
    if (page.alert && over(page.alert)) { page.alert = page.said = null; show(); }
    for (const place of document.querySelectorAll(data.places)) {
      for (const named of place.querySelectorAll("[aria-label]")) {
        const text = named.getAttribute("aria-label");
        if (translated(text) !== text) named.setAttribute("aria-label", translated(text));
      }
      const nodes = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (nodes.nextNode()) {
        const text = nodes.currentNode.nodeValue.trim();
        const said = translated(text);
        if (said === text) continue;
        nodes.currentNode.nodeValue = said;
        // Why a file is refused, Streamlit tells screen readers and those who point at it; here all are told.
        const alert = nodes.currentNode.parentElement.closest("[role=alert]");
        if (alert) { page.alert = alert; page.said = said; show(); }
      }
    }
  };
  const texts = new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(translate);
  });
  texts.observe(document.body, { childList: true, subtree: true, characterData: true });
  translate();

  // Streamlit leaves the page as it was when the server comes back, and asks for another at the next click.
  const app = document.querySelector(`[${data.connection}]`);
  const connection = new MutationObserver(() => {
    const connected = app.getAttribute(data.connection) === "CONNECTED";
    if (connected && page.away) { page.said = data.back; show(); }
    page.away = !connected;
  });
  if (app) connection.observe(app, { attributes: true, attributeFilter: [data.connection] });
  return () => { texts.disconnect(); connection.disconnect(); };
}
"""


@cache
def _component() -> Any:
    from streamlit.components.v2 import component

    return component("dobae_presence", html=_HTML, css=_CSS, js=_JS)


def presence() -> None:
    """Draws what is seen only when something is amiss; at the end of a page, where it takes no room."""
    session = st.session_state.setdefault("session", secrets.token_hex(8))
    data = {
        "server": SERVER,
        "session": session,
        "language": language(),
        "back": say("streamlit.back"),
        "lost": say("streamlit.lost"),
        "close": say("close"),
        "places": _PLACES,
        "files": "[data-testid=stFileChips]",
        "file": "[data-testid=stFileChip]",
        "connection": "data-test-connection-state",
        "words": [(f"^(?:{found})$", say(f"streamlit.{key}", **_KEPT)) for found, key in _WORDS],
    }
    _component()(data=data, key="presence")
