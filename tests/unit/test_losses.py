"""What is lost with files of the state: noticed by their sizes, and said until it is acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.model.naming import Oid
from gitorch.storage import atomic, losses, notes_tip, sizes


def test_a_loss_is_kept_until_it_is_acknowledged(tmp_path: Path) -> None:
    """The same loss is kept once, and not said again after its acknowledgement; another one is."""
    assert losses.record(tmp_path, "one is lost")
    assert losses.record(tmp_path, "one is lost")
    assert losses.unacknowledged(tmp_path) == ["one is lost"]
    assert losses.acknowledge(tmp_path) == 1
    assert losses.unacknowledged(tmp_path) == []
    assert not losses.record(tmp_path, "one is lost")
    assert losses.record(tmp_path, "two is lost")
    assert losses.unacknowledged(tmp_path) == ["two is lost"]


@pytest.mark.parametrize("content", [b"\xff\n", b"{\n", b'{"what":7}\n'])
def test_a_damaged_list_says_so(tmp_path: Path, content: bytes) -> None:
    """The list of losses can be damaged itself: a bad line costs that line."""
    losses.record(tmp_path, "one is lost")
    with (tmp_path / "lost.jsonl").open("ab") as file:
        file.write(content)
    losses.record(tmp_path, "two is lost")
    assert losses.unacknowledged(tmp_path) == [
        "one is lost",
        "lost.jsonl, the list of what was lost, is damaged",
        "two is lost",
    ]


def test_a_list_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """Where nothing can be written, the command that notices a loss says it all the same."""
    (tmp_path / "lost.jsonl").mkdir()
    assert losses.record(tmp_path, "one is lost")
    assert "cannot be read" in losses.unacknowledged(tmp_path)[0]


def test_a_shorter_file_is_noticed(tmp_path: Path) -> None:
    """Emptied, cut or removed; not one that has grown since, and not one that was forgotten."""
    path = tmp_path / "folder" / "log.jsonl"
    path.parent.mkdir()
    atomic.append(path, [b"one", b"two"])
    sizes.note(tmp_path, path, name="log")
    assert not [*sizes.shortened(tmp_path)]
    atomic.append(path, [b"three"])
    assert not [*sizes.shortened(tmp_path)]
    path.write_bytes(b"one\n")
    assert [*sizes.shortened(tmp_path)] == ["log"]
    assert sizes.missing_bytes(tmp_path, "log") == 4
    path.unlink()
    assert sizes.missing_bytes(tmp_path, "log") == 8
    sizes.forget(tmp_path, "log")
    assert not [*sizes.shortened(tmp_path)]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"path":1}'])
def test_a_damaged_note_of_a_size_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Nothing is lost with it, and the next write notes the size again."""
    path = tmp_path / "log.jsonl"
    atomic.append(path, [b"one"])
    sizes.note(tmp_path, path)
    (tmp_path / "sizes" / "log.jsonl").write_bytes(content)
    path.unlink()
    assert sizes.noted(tmp_path, "log.jsonl") is None
    assert not [*sizes.shortened(tmp_path)]


def test_a_link_is_neither_followed_nor_written_through(tmp_path: Path) -> None:
    """A log in whose place an agent has put a link to a file of the user's is not appended to."""
    (tmp_path / "of-the-user").write_text("whole\n")
    (tmp_path / "log.jsonl").symlink_to(tmp_path / "of-the-user")
    with pytest.raises(OSError, match="Too many levels"):
        atomic.append(tmp_path / "log.jsonl", [b"one"])
    assert (tmp_path / "of-the-user").read_text() == "whole\n"


def test_an_incomplete_line_is_ended_as_such(tmp_path: Path) -> None:
    """What a killed writer left can be told from a line that was damaged."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"one\ntw")
    atomic.append(path, [b"three"])
    assert path.read_bytes() == b"one\ntw" + atomic.TORN + b"\nthree\n"


def test_the_notes_ref_is_missed(tmp_path: Path) -> None:
    """Only if gitorch left one, and it is neither a file nor packed."""
    state = tmp_path / "gitorch"
    state.mkdir()
    tip = Oid("a" * 40)
    assert not notes_tip.may_be_lost(state, tmp_path)
    notes_tip.remember(state, tip)
    assert notes_tip.read(state) == tip
    assert notes_tip.may_be_lost(state, tmp_path)
    (tmp_path / "packed-refs").write_text(f"{tip} refs/notes/gitorch\n")
    assert not notes_tip.may_be_lost(state, tmp_path)
    ref = tmp_path / "refs" / "notes" / "gitorch"
    ref.parent.mkdir(parents=True)
    ref.write_bytes(b"")
    assert notes_tip.may_be_lost(state, tmp_path)
    ref.write_text(f"{tip}\n")
    assert not notes_tip.may_be_lost(state, tmp_path)
    ref.unlink()
    (tmp_path / "packed-refs").unlink()
    (state / "notes.tip").write_bytes(b"garbage")
    assert not notes_tip.may_be_lost(state, tmp_path)
