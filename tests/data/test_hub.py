"""Whether the hub answers is told from what it says."""

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

from data.hub import hub_answers


class _UnknownError(RepositoryNotFoundError):
    def __init__(self) -> None:
        Exception.__init__(self, "404")


@pytest.mark.parametrize(
    ("raised", "answers"),
    [
        (None, True),
        (_UnknownError(), True),
        (OfflineModeIsEnabled("offline"), False),
        (OSError("Name or service not known"), False),
        (ValueError("Repo id must be in the form"), False),
    ],
)
def test_only_a_hub_that_says_something_answers(
    raised: Exception | None, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hub:
        def model_info(self, name: str, timeout: float) -> None:
            if raised is not None:
                raise raised

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    assert hub_answers("short") == answers
