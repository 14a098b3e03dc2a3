"""From messages to token ids, for training and inference alike: a model is asked with the very tokens it learnt from.

Works on any tokenizer of transformers; knows nothing about models, and imports nothing heavy.
"""

from collections.abc import Sequence
from typing import Any

from data.errors import GenerationError, InputError, one_line
from data.prompts import plain_prompt
from data.types import Message

END_OF_TURN = "<|im_end|>"
"""ChatML's end of a turn, which ends an answer even where the tokenizer names another end of text."""


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Renders messages to token ids, with the chat template where there is one, up to where the answer begins.

    Raises:
        GenerationError: The chat template takes no such messages.
    """
    safe = _cleaned(tokenizer, messages)
    if not tokenizer.chat_template:
        return list(tokenizer(plain_prompt(safe))["input_ids"])
    return _prompt(tokenizer, safe)[1]


def row_ids(tokenizer: Any, messages: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
    """Renders a prompt as `prompt_ids` does, and the prompt with its answer.

    Returns:
        The ids of the prompt, and of both; what ends the answer may or may not be there.

    Raises:
        GenerationError: The chat template takes no such messages.
    """
    safe = _cleaned(tokenizer, messages)
    completion = without_special_tokens(tokenizer, answer)
    if tokenizer.chat_template:
        supported, prompt = _prompt(tokenizer, safe)
        return prompt, _templated(tokenizer, (*supported, Message("assistant", completion)), ask=False)
    text = plain_prompt(safe)
    # A space before the answer: the token of a word after "답:" is the one it has inside a sentence.
    full = list(tokenizer(f"{text} {completion}")["input_ids"])
    return list(tokenizer(text)["input_ids"]), full[:-1] if full and full[-1] == tokenizer.eos_token_id else full


def stop_token(tokenizer: Any) -> int:
    """Returns the token that ends an answer: the end of the turn in a ChatML template, else the end of text.

    Raises:
        InputError: The tokenizer has no such token.
    """
    # Asked for by its text: the whole vocabulary takes tens of milliseconds. An unknown token comes back as another.
    turn_end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    known = turn_end is not None and tokenizer.convert_ids_to_tokens(turn_end) == END_OF_TURN
    stop = turn_end if known and tokenizer.chat_template else tokenizer.eos_token_id
    if stop is None:
        raise InputError("the tokenizer has no end-of-text token; a model trained with it would never stop")
    return int(stop)


def without_special_tokens(tokenizer: Any, text: str) -> str:
    """Removes spelled-out special tokens: a stored answer must not end the user's turn or open a system one."""
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    while any(token in text for token in special):
        for token in special:
            text = text.replace(token, "")
    return text


def _cleaned(tokenizer: Any, messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(Message(role, without_special_tokens(tokenizer, content)) for role, content in messages)


def _prompt(tokenizer: Any, messages: Sequence[Message]) -> tuple[Sequence[Message], list[int]]:
    """Returns the messages that the template takes, and their ids.

    Some templates know no system role: its text opens the user's message.
    """
    from jinja2 import TemplateError

    try:
        return messages, _templated(tokenizer, messages, ask=True)
    except TemplateError:
        joined = (Message("user", "\n\n".join(message.content for message in messages)),)
    try:
        return joined, _templated(tokenizer, joined, ask=True)
    except TemplateError as error:
        raise GenerationError(f"the model's chat template failed: {one_line(error)}") from error


def _templated(tokenizer: Any, messages: Sequence[Message], *, ask: bool) -> list[int]:
    # Templates that know no `enable_thinking` ignore it; reasoning models answer at once.
    rendered = tokenizer.apply_chat_template(
        [message._asdict() for message in messages],
        add_generation_prompt=ask,
        return_dict=True,
        enable_thinking=False,
    )
    return list(rendered["input_ids"])
