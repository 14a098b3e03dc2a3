"""Nobody gets in without the passphrase, and nobody may guess for long."""

import json
import stat
from pathlib import Path

import pytest

from data.errors import InputError
from ui.app import passphrase
from ui.app.passphrase import FIRST_PAUSE, FREE_TRIES, LONGEST_PAUSE, Gate, PassphraseError, set_passphrase

SECRET = "도배 풀은 되직하게"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "N", 1 << 4)


def test_without_a_passphrase_nobody_enters(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "none.json")
    assert gate.key() is None
    assert gate.enter("") is None


def test_the_passphrase_enters_and_others_do_not(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    set_passphrase(path, SECRET)
    gate = Gate(path)
    assert gate.enter(SECRET + "!") is None
    assert gate.enter("") is None
    assert gate.enter(f" {SECRET} ") == gate.key() is not None


def test_the_file_holds_no_passphrase_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    set_passphrase(first, SECRET)
    set_passphrase(second, SECRET)
    assert SECRET not in first.read_text("utf-8")
    assert json.loads(first.read_text())["hash"] != json.loads(second.read_text())["hash"]  # salted
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


def test_a_new_passphrase_shuts_out_who_had_entered(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    set_passphrase(path, SECRET)
    gate = Gate(path)
    entered = gate.enter(SECRET)
    set_passphrase(path, "다른 암호 하나 둘 셋")
    assert gate.key() != entered
    assert gate.enter(SECRET) is None


def test_wrong_tries_are_slowed_down_more_and_more_and_even_the_right_one_waits(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "p.json"
    set_passphrase(path, SECRET)
    gate = Gate(path, clock=lambda: now[0])
    for _ in range(FREE_TRIES):
        assert gate.pause() == 0
        assert gate.enter("wrong wrong") is None
    assert gate.pause() == FIRST_PAUSE
    assert gate.enter(SECRET) is None
    now[0] += FIRST_PAUSE
    assert gate.enter("wrong again") is None
    assert gate.pause() == 2 * FIRST_PAUSE
    for _ in range(20):
        now[0] += gate.pause()
        gate.enter("wrong again")
    assert gate.pause() == LONGEST_PAUSE
    now[0] += LONGEST_PAUSE
    assert gate.enter(SECRET) == gate.key()
    gate.enter("wrong once")
    assert gate.pause() == 0  # Counted anew after a right one.


@pytest.mark.parametrize("weak", ["", "짧다", "          ", "1111111111111"])
def test_weak_passphrases_are_refused(tmp_path: Path, weak: str) -> None:
    with pytest.raises(InputError, match="too easy"):
        set_passphrase(tmp_path / "p.json", weak)
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kdf": "plain", "n": 1, "r": 1, "p": 1}'])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(PassphraseError, match="dobae ui passphrase"):
        Gate(tmp_path / "p.json").enter("")
