"""The Streamlit page: `main.py` is its entry, one module a page beside it. Importing the package imports no Streamlit.

A page that only the keeper of the base may open gets a module here and an entry in `main.pages`.
"""
