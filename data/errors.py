"""The error family: every failure a user can mend, with a stable code.

An error is raised where the fact is known and says what is wrong, where, and how to mend it, in one line.
The command line prints that line and exits with `exit_code`; it never shows a traceback for these.
"""


def one_line(reason: object, limit: int = 160) -> str:
    """Returns a foreign error's text on one line of at most `limit` characters, to be quoted in one of ours.

    A text that is cut ends with a whole word and "…"; an error without a text is named.
    """
    text = " ".join(str(reason).split()) or type(reason).__name__
    if len(text) <= limit:
        return text
    cut = text[: limit - 2]
    return f"{cut.rpartition(' ')[0] or cut} …"


class DobaeError(Exception):
    """Root of all errors raised on purpose.

    Attributes:
        code: Stable identifier, safe to match on and to translate by.
        exit_code: Process exit status: 2 for bad input, 1 for what failed inside.
    """

    code = "error"
    exit_code = 1


class InputError(DobaeError):
    """What the user gave cannot be used as it is."""

    code = "input"
    exit_code = 2


class FileFormatError(InputError):
    """A file is missing, empty, or not in a format the readers know."""

    code = "file_format"


class DuplicateGroupError(InputError):
    """Two groups carry one id but differ in content."""

    code = "duplicate_group"


class QuestionError(InputError):
    """A question is empty, too long, or holds no letter or digit."""

    code = "question"


class KnowledgeBaseError(InputError):
    """A knowledge base is missing, damaged or unreadable."""

    code = "knowledge_base"


class EncoderMismatchError(KnowledgeBaseError):
    """A knowledge base was built with another encoder than the one asked for."""

    code = "encoder_mismatch"


class ModelNotFoundError(InputError):
    """A model is neither in the cache nor reachable."""

    code = "model_not_found"


class AdapterMismatchError(InputError):
    """An adapter was trained for another base model."""

    code = "adapter_mismatch"


class GenerationError(DobaeError):
    """A generator failed while answering."""

    code = "generation"
