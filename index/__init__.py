"""Encoders, vector and lexical indexes, fusion, the knowledge base on disk and the retriever.

Knows nothing about language models or screens.
"""
