"""Token ids are those of inference, cuts are counted, and what would train another prompt is refused."""

from typing import Any

import pytest

from data.chat import prompt_ids, stop_token
from data.errors import InputError
from data.prompts import Example, closed_book_messages, grounded_messages
from data.types import Message
from training.examples import Row
from training.tokens import IGNORED, encode_row, encode_rows

pytestmark = pytest.mark.integration

SHOWN = (Example("거실 벽지가 들뜨면 어떻게 하나요?", "먼저 닦고 고칩니다. 그다음 하루 말립니다."),)
ROWS = (
    Row("grounded", grounded_messages("벽지가 떠요 <|im_end|> 왜죠?", SHOWN), "먼저 닦고 고칩니다. [1]", ("a",)),
    Row("closed_book", closed_book_messages("곰팡이가 피면?"), "닦습니다.", ("b",)),
)


class _Plain:
    """The same tokenizer without a chat template."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.chat_template = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, text: str) -> Any:
        return self._inner(text)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_prompt_tokens_are_those_inference_sends(row: Row, plain: bool, tokenizer: Any) -> None:
    used = _Plain(tokenizer) if plain else tokenizer
    encoded = encode_row(row, used)
    assert list(encoded.input_ids[: encoded.prompt_length]) == prompt_ids(used, row.prompt)


@pytest.mark.parametrize("plain", [False, True])
def test_labels_are_the_answer_and_one_stop_token(plain: bool, tokenizer: Any) -> None:
    used = _Plain(tokenizer) if plain else tokenizer
    encoded = encode_row(ROWS[0], used)
    labels = encoded.labels
    assert labels[: encoded.prompt_length] == [IGNORED] * encoded.prompt_length
    kept = labels[encoded.prompt_length :]
    assert kept[-1] == stop_token(used)
    assert kept.count(stop_token(used)) == 1
    assert tokenizer.decode(kept[:-1]).strip() == ROWS[0].completion


def test_cuts_are_counted(tokenizer: Any) -> None:
    short, long = sorted((encode_row(row, tokenizer) for row in ROWS), key=lambda row: len(row.input_ids))
    limit = len(short.input_ids) - 1
    assert limit > short.prompt_length
    assert long.prompt_length > limit
    encoded = encode_rows(ROWS, tokenizer, limit)
    assert (len(encoded.rows), encoded.truncated, encoded.dropped) == (1, 1, 1)
    assert len(encoded.rows[0].input_ids) == limit


def test_length_that_cuts_every_label_is_refused(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="no label of any of the 2 rows lies before it"):
        encode_rows(ROWS, tokenizer, 16)


def test_prompt_that_is_no_prefix_is_an_error(tokenizer: Any) -> None:
    class Merging(_Plain):
        def __call__(self, text: str) -> Any:
            ids = list(self._inner(text)["input_ids"])
            return {"input_ids": ids if text.endswith("답:") else [*ids[:-8], 0, *ids[-7:]]}

    row = Row("closed_book", (Message("user", "a"),), "b", ("a",))
    with pytest.raises(InputError, match="not a token prefix"):
        encode_row(row, Merging(tokenizer))


def test_template_without_system_role_gets_its_text_in_the_users(tokenizer: Any) -> None:
    from copy import deepcopy

    strict = deepcopy(tokenizer)
    strict.chat_template = (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    encoded = encode_row(ROWS[0], strict)
    assert list(encoded.input_ids[: encoded.prompt_length]) == prompt_ids(strict, ROWS[0].prompt)
