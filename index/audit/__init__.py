"""Audits question-answer data: what it holds, what is probably wrong with it, and mends that a person accepts.

Knows nothing about language models or screens, and changes no file it reads.
"""
