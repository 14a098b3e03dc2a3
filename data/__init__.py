"""Types, errors, reading, splitting and prompts: what every other package builds on.

Knows nothing about embeddings, models or screens.
"""
