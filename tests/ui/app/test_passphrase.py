"""Nobody gets in without the passphrase, and nobody may guess for long."""

import json
import stat
from pathlib import Path

import pytest

from data.errors import InputError
from ui.app import passphrase
from ui.app.passphrase import (
    FIRST_PAUSE,
    FREE_TRIES,
    FREE_TRIES_OF_ALL,
    LONGEST_PAUSE,
    Gate,
    PassphraseError,
    set_passphrase,
)

SECRET = "도배 풀은 되직하게"
HOME = "192.0.2.7"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "N", 1 << 4)


def test_without_a_passphrase_nobody_enters(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "none.json")
    assert gate.key() is None
    assert gate.enter("", HOME) is None


def test_the_passphrase_enters_and_others_do_not(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    set_passphrase(path, SECRET)
    gate = Gate(path)
    assert gate.enter(SECRET + "!", HOME) is None
    assert gate.enter("", HOME) is None
    assert gate.enter(f" {SECRET} ", HOME) == gate.key() is not None


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
    entered = gate.enter(SECRET, HOME)
    set_passphrase(path, "다른 암호 하나 둘 셋")
    assert gate.key() != entered
    assert gate.enter(SECRET, HOME) is None


def test_wrong_tries_are_slowed_down_more_and_more_and_even_the_right_one_waits(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "p.json"
    set_passphrase(path, SECRET)
    gate = Gate(path, clock=lambda: now[0])
    for _ in range(FREE_TRIES):
        assert gate.pause(HOME) == 0
        assert gate.enter("wrong wrong", HOME) is None
    assert gate.pause(HOME) == FIRST_PAUSE
    assert gate.enter(SECRET, HOME) is None
    now[0] += FIRST_PAUSE
    assert gate.enter("wrong again", HOME) is None
    assert gate.pause(HOME) == 2 * FIRST_PAUSE
    for _ in range(20):
        now[0] += gate.pause(HOME)
        gate.enter("wrong again", HOME)
    assert gate.pause(HOME) == LONGEST_PAUSE
    now[0] += LONGEST_PAUSE
    assert gate.enter(SECRET, HOME) == gate.key()
    gate.enter("wrong once", HOME)
    assert gate.pause(HOME) == 0  # Counted anew after a right one.


def _shut(gate: Gate, address: str | None) -> None:
    while gate.pause(address) == 0:
        assert gate.enter("wrong wrong", address) is None


@pytest.mark.parametrize("guesser", [None, "198.51.100.1", "2001:db8:1::1", "not an address"])
def test_one_who_guesses_does_not_lock_the_keeper_out(tmp_path: Path, guesser: str | None) -> None:
    set_passphrase(tmp_path / "p.json", SECRET)
    gate = Gate(tmp_path / "p.json", clock=lambda: 0.0)
    _shut(gate, guesser)
    assert gate.enter(SECRET, guesser) is None
    assert gate.enter(SECRET, HOME) == gate.key()
    assert gate.pause(guesser) == FIRST_PAUSE  # The keeper's entering brings no new tries.


def test_a_visitor_with_a_whole_ipv6_network_is_one_visitor(tmp_path: Path) -> None:
    set_passphrase(tmp_path / "p.json", SECRET)
    gate = Gate(tmp_path / "p.json", clock=lambda: 0.0)
    _shut(gate, "2001:db8:1::1")
    assert gate.pause("2001:db8:1:0:ffff::2") == FIRST_PAUSE
    assert gate.pause("2001:db8:1:1::1") == 0
    _shut(gate, "::ffff:198.51.100.1")
    assert gate.pause("::ffff:198.51.100.2") == 0


def test_guesses_from_many_addresses_make_strangers_wait_but_not_a_known_keeper(tmp_path: Path) -> None:
    set_passphrase(tmp_path / "p.json", SECRET)
    gate = Gate(tmp_path / "p.json", clock=lambda: 0.0)
    assert gate.enter(SECRET, HOME) == gate.key()
    for number in range(FREE_TRIES_OF_ALL):
        assert gate.enter("wrong wrong", f"198.51.100.{number}") is None
    assert gate.enter(SECRET, "203.0.113.1") is None
    assert gate.pause("203.0.113.1") == FIRST_PAUSE
    assert gate.enter(SECRET, HOME) == gate.key()


def test_no_more_visitors_are_remembered_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passphrase, "REMEMBERED", 2)
    set_passphrase(tmp_path / "p.json", SECRET)
    gate = Gate(tmp_path / "p.json", clock=lambda: 0.0)
    for address in ("198.51.100.1", "198.51.100.2", "198.51.100.3"):
        _shut(gate, address)
    assert [gate.pause(f"198.51.100.{number}") for number in (1, 2, 3)] == [0, FIRST_PAUSE, FIRST_PAUSE]


@pytest.mark.parametrize("weak", ["", "짧다", "          ", "1111111111111"])
def test_weak_passphrases_are_refused(tmp_path: Path, weak: str) -> None:
    with pytest.raises(InputError, match="too easy"):
        set_passphrase(tmp_path / "p.json", weak)
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kdf": "plain", "n": 1, "r": 1, "p": 1}'])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(PassphraseError, match="dobae ui passphrase"):
        Gate(tmp_path / "p.json").enter("", HOME)
