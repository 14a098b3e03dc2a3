"""Says in the reader's language what the parts below say in English, for whoever reads a page.

Errors are raised for the command line; the reader of a page needs the same fact in their language, without the mends
that only a terminal has. What is not known here is shown as it is, after a sentence that says so.
"""

import re
from collections.abc import Callable

from data.errors import DobaeError

Say = Callable[..., str]

_KNOWN: tuple[tuple[str, str], ...] = (
    # what a model wrote; also where a whole file holds nothing else
    (r"nobody has approved this group", "not_approved"),
    # quotes a row's reason, so it stands before those
    (r"no usable row \((?P<count>\d+) rejected", "no_usable_row"),
    # rows of uploaded files
    (r"question and answer are empty", "both_empty"),
    (r"question is empty", "question_empty"),
    (r"answer is empty", "answer_empty"),
    (r"question holds no letter or digit", "question_no_letter"),
    (r"has (?P<cells>\d+) cells, the header names (?P<named>\d+)", "too_many_cells"),
    (r"not JSON", "not_json"),
    (r"cell (?P<cell>[A-Z]+\d+) holds a formula without its value", "formula"),
    (r"'(?P<name>id|category|source)' must be a string", "not_text_field"),
    (r"must be a list of strings|not a JSON object", "not_record"),
    # what was changed, or left, on the way
    (r": columns not read: (?P<names>.+)", "columns_not_read"),
    (r": sheets not read: (?P<names>.+)", "sheets_not_read"),
    (r": keys not read: (?P<names>.+)", "keys_not_read"),
    (r"(?P<count>\d+) rows were merged into groups", "rows_merged"),
    (r"(?P<count>\d+) repeated groups were read once", "groups_repeated"),
    (r"(?P<count>\d+) texts were put into Unicode NFC", "made_nfc"),
    (r"(?P<count>\d+) texts were freed of invisible characters", "freed_invisible"),
    (r"(?P<count>\d+) texts were freed of back-ticks", "freed_backticks"),
    (r"(?P<count>\d+) texts were freed of stray quotation marks", "freed_quotes"),
    # whole files
    (r"needs columns", "no_columns"),
    (r"the file is empty|first sheet is empty|has no header", "file_empty"),
    (r"is UTF-16|is neither UTF-8 nor CP949", "encoding"),
    (r"holds zero bytes", "not_text"),
    (r"separates its cells by", "separator"),
    (r"column (?P<column>'.*?') stands in the header twice", "column_twice"),
    (r", line (?P<line>\d+): broken CSV quoting", "quoting"),
    (r"unpacks to|do not trust it|declares entities|has [\d,]+ parts", "dangerous"),
    (r"is larger than|has more than [\d,]+ rows", "too_large"),
    (r"is not a workbook|is a broken workbook|names a part twice|which is no table", "broken_workbook"),
    (r"choose a file that ends in", "wrong_kind"),
    (r"id (?P<id>'.*?') already stands .* with other content", "id_twice"),
    # groups and edits
    (r"id (?P<id>'.*?') is in the base already", "id_taken"),
    (r"has changed since it was shown", "changed_meanwhile"),
    (r"cannot be undone: group (?P<id>'.*?') has changed since", "undo_later_first"),
    (r"is undone already", "undone_already"),
    (r"there is no group (?P<id>'.*?') in", "no_group"),
    (r"needs a question and an answer", "both_needed"),
    (r"a question holds no letter or digit", "question_no_letter"),
    (r"\w+ has (?P<found>[\d,]+) characters; shorten it to at most (?P<most>[\d,]+)", "text_too_long"),
    (r"holds the character (?P<character>U\+[0-9A-F]+)", "bad_character"),
    (r"another process is writing here", "busy_writer"),
    (r"would lose its last group|last group", "last_group"),
    (r"cannot be written", "not_writable"),
    (r"is no knowledge base|no knowledge base", "no_base"),
    # evaluations compared
    (r"scored by different encoders", "other_encoder"),
    (r"the reports share no (?:question|arm)", "nothing_shared"),
    (r"(?P<count>\d+) questions of the (?:first|second) report are not in the other", "not_in_both"),
    (r"file (?P<name>.+) differs", "other_file"),
    (r"base (?P<name>.+) differs", "other_base"),
    (r"the prompts differ", "other_prompt"),
    (r"the code that answers differs", "other_code"),
    (r"arm (?P<arm>.+) ran on (?P<before>.+) and on (?P<after>.+)", "other_device"),
    (r"arm (?P<arm>.+) has another model, another adapter or other settings", "other_arm"),
    # models
    (r"run `dobae models pull`", "no_model"),
)
_PATTERNS = tuple((re.compile(pattern), key) for pattern, key in _KNOWN)


def in_words(problem: Exception | str, say: Say) -> str:
    """Returns a problem in the page's language, as plain text.

    Args:
        problem: An error, its text, or a reject's reason; "", or an error of another family, for a mistake of the
            program.
        say: As `data.catalog.message`.
    """
    text = str(problem) if isinstance(problem, DobaeError | str) else ""
    if not text:
        return say("problem.inside")
    for pattern, key in _PATTERNS:
        if found := pattern.search(text):
            return say(f"problem.{key}", **found.groupdict())
    return say("problem.other", text=text)


def known_keys() -> set[str]:
    """Returns the keys that the catalogues must have."""
    return {key for _, key in _KNOWN} | {"inside", "other"}
