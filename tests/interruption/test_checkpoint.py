"""Of two saved versions one is always whole, and what is damaged is noticed and named."""

import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rstan_lite.system.errors import CheckpointError
from rstan_lite.training.checkpoint import Versions


def state(number: int) -> dict:
    return {"number": number, "weights": torch.full((50,), float(number))}


def number_of(found: dict) -> int:
    assert bool((found["weights"] == found["number"]).all())
    return found["number"]


def loaded(states: Versions) -> int | None:
    return Versions(states.path).load(number_of)


@pytest.fixture
def states(tmp_path):
    """Versions 1 and 2."""
    found = Versions(tmp_path / "s.pt")
    for number in (1, 2):
        found.save(state(number))
    return found


def test_the_newest_is_taken_and_the_one_before_kept(states, capsys):
    assert loaded(states) == 2
    assert Versions(states.previous).load(number_of) == 1
    assert capsys.readouterr().err == ""
    states.remove()
    assert not states.exists()
    assert loaded(states) is None


@given(data=st.data())
@settings(max_examples=40)
def test_every_changed_bit_is_noticed(tmp_path_factory, data):
    states = Versions(tmp_path_factory.mktemp("bits") / "s.pt")
    states.save(state(1))
    content = bytearray(states.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    states.path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"s\.pt: found a damaged file"):
        loaded(states)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[1:]])
def test_a_damaged_newest_is_named_and_the_one_before_taken(states, capsys, damage):
    states.path.write_bytes(damage(states.path.read_bytes()))
    goes_on = Versions(states.path)
    assert goes_on.load(number_of) == 1
    assert "s.pt: found a damaged file (" in (said := capsys.readouterr().err)
    assert "going on from s.pt.previous" in said
    goes_on.save(state(3))
    assert loaded(states) == 3
    states.path.unlink()
    assert loaded(states) == 1  # the damaged one never took the whole one's place


def test_both_damaged_is_an_error_that_names_both(states):
    states.path.write_bytes(b"1")
    states.previous.write_bytes(b"2")
    with pytest.raises(CheckpointError, match=r"Remove s\.pt and s\.pt\.previous"):
        loaded(states)


def test_a_kill_between_the_two_renames_costs_one_version(states, capsys):
    states.path.rename(states.previous)
    assert loaded(states) == 2
    assert capsys.readouterr().err == ""


def test_what_cannot_be_taken_is_damaged_but_a_complaint_is_not(states, capsys):
    def other_shape(found):
        if found["number"] == 2:
            raise RuntimeError("size mismatch\nand more")
        return found["number"]

    assert states.load(other_shape) == 1
    assert "(size mismatch)" in capsys.readouterr().err

    def complain(found):
        raise CheckpointError("x", "a", "b")

    with pytest.raises(CheckpointError, match="x: found a"):
        states.load(complain)


def test_a_save_on_a_full_disk_keeps_what_was_there(states, monkeypatch):
    from rstan_lite.system import files
    from rstan_lite.system.errors import StoreError

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match="full disk"):
        states.save(state(3))
    monkeypatch.undo()
    assert loaded(states) == 2
    shutil.copy(states.previous, states.path)
    assert loaded(states) == 1
