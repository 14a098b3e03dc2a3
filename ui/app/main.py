"""Entry of the page: `streamlit run ui/app/main.py`, or `dobae ui`."""

import streamlit as st

from data.errors import DobaeError
from ui.app import ask_page, compare_page, knowledge_page
from ui.app.markup import label
from ui.app.problems import in_words
from ui.app.session import engine, language, say


def pages() -> list[st.Page]:
    """Returns the pages, the first being home."""
    return [
        st.Page(ask_page.show, title=say("ask"), icon=":material/forum:", url_path="ask", default=True),
        st.Page(compare_page.show, title=say("compare"), icon=":material/compare:", url_path="compare"),
        st.Page(knowledge_page.show, title=say("knowledge"), icon=":material/menu_book:", url_path="knowledge"),
    ]


def main() -> None:
    """Draws the page that was asked for."""
    st.set_page_config(page_title=say("name"), page_icon=":material/wallpaper:", layout="wide")
    if st.sidebar.button(say("language"), key="language"):
        st.query_params["lang"] = "en" if language() == "ko" else "ko"
        st.rerun()
    page = st.navigation(pages())
    try:
        engine()
    except DobaeError as error:
        st.error(label(in_words(error, say)))
        st.stop()
    page.run()


main()
