"""Grows question-answer data with a chat model, from topics, documents or pages; a person approves what is kept."""
