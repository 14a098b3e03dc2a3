"""Entry of the page: `streamlit run ui/app/main.py`, or `dobae ui`."""

import streamlit as st

from data.errors import DobaeError
from data.problems import in_words
from ui.app import ask_page, compare_page, data_page, evaluation_page, knowledge_page, training_page
from ui.app.markup import STYLE, label
from ui.app.presence import presence
from ui.app.session import engine, language, say


def pages() -> list[st.Page]:
    """Returns the pages, the first being home.

    Without headings: Streamlit puts them into the list itself, where a screen reader expects pages alone.
    """
    open_to_all = [
        st.Page(ask_page.show, title=say("ask"), icon=":material/forum:", url_path="ask", default=True),
        st.Page(compare_page.show, title=say("compare"), icon=":material/compare:", url_path="compare"),
    ]
    for_the_keeper = [
        st.Page(module.show, title=say(name), icon=f":material/{icon}:", url_path=name)
        for module, name, icon in (
            (knowledge_page, "knowledge", "menu_book"),
            (data_page, "data", "fact_check"),
            (evaluation_page, "evaluation", "monitoring"),
            (training_page, "training", "model_training"),
        )
    ]
    return open_to_all + for_the_keeper


def main() -> None:
    """Draws the page that was asked for."""
    st.set_page_config(page_title=say("name"), page_icon=":material/wallpaper:", layout="wide")
    st.html(STYLE)
    if st.sidebar.button(say("language"), key="language"):
        st.query_params["lang"] = "en" if language() == "ko" else "ko"
        st.rerun()
    page = st.navigation(pages())
    try:
        engine()
        page.run()
    except DobaeError as error:
        st.error(label(in_words(error, say)))
    presence()


main()
