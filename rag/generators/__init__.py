"""Generators: a question with its examples in, text chunks out."""
