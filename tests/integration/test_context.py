"""The shared notes of a run: appended by many at once, bounded, and never a way out of their file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.errors import InvalidInput, NotFound, Refused
from gitorch.services.context import note_author
from gitorch.storage.shared_notes import LONGEST, MOST_OF_ONE, SharedNotes
from tests.support.cli import ROOT

ADDER = """\
import sys
from pathlib import Path
from gitorch.storage.shared_notes import SharedNotes
folder, task, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    SharedNotes(folder).add(f"{task} {number} " + "x" * 1500, task=task)
    print(number, flush=True)
"""


@pytest.fixture
def notes(tmp_path: Path) -> SharedNotes:
    return SharedNotes(tmp_path / "context")


def adder(notes: SharedNotes, task: str, count: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", ADDER, str(notes.folder), task, str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_a_note_reads_back(notes: SharedNotes) -> None:
    """Text, author, run and number come back as they were given; line ends of all kinds stay in their note."""
    one = notes.add("The table is called `accounts`\nnot users \u2028 {}", task="add-table")
    two = notes.add("Use UTC", author="Una")
    assert notes.read(1) == [one, two]
    assert (one.number, one.task, two.number, two.author) == (1, "add-table", 2, "Una")
    assert one.text.split("\n")[0] == "The table is called `accounts`"
    assert notes.find(1, 2) == two
    with pytest.raises(NotFound, match="run 1 has no note 3"):
        notes.find(1, 3)


def test_many_add_at_once_and_nothing_is_lost(notes: SharedNotes) -> None:
    """Six processes add 20 notes each: all are there, whole, each author's in the order of writing."""
    writers = [adder(notes, f"t{number}", 20) for number in range(6)]
    assert [process.wait(600) for process in writers] == [0] * 6
    found = notes.read(1)
    assert [note.number for note in found] == list(range(1, 121))
    for number in range(6):
        texts = [note.text.rsplit(" ", 1)[0] for note in found if note.task == f"t{number}"]
        assert texts == [f"t{number} {at}" for at in range(20)]


def test_a_writer_that_is_killed_takes_nothing_with_it(notes: SharedNotes) -> None:
    """What a killed writer had acknowledged is there, and others go on: at any moment of the kill."""
    for at in range(4):
        process = adder(notes, f"t{at}", 10_000)
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(3 + at)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines()
        process.wait()
        mine = [note for note in notes.read(1) if note.task == f"t{at}"]
        assert len(mine) >= len(told)
        notes.add("still here", task="other")
        assert notes.read(1)[-1].text == "still here"


def test_half_a_line_and_foreign_lines_are_passed_over(notes: SharedNotes) -> None:
    """A line that was cut short, or that somebody else wrote into the file, costs no other note."""
    one = notes.add("one")
    with (notes.folder / "run-1.jsonl").open("ab") as file:
        file.write(b'[]\nnot json\n{"number":9,"run":9,"text":"liar","task":"t"}\n\xff\xfe\n{"number":6,"te')
    two = notes.add("two")
    assert [(note.number, note.run, note.text) for note in notes.read(1)] == [
        (1, 1, one.text),
        (4, 1, "liar"),  # its place is where it stands, whatever it says
        (two.number, 1, "two"),
    ]
    assert two.number == 7


def test_what_is_kept_is_bounded_clean_and_without_keys(notes: SharedNotes) -> None:
    """Empty and long notes are refused; hidden characters and credentials are taken out before anything is written."""
    for text in ("", " \n\t", "\x1b\u200b"):
        with pytest.raises(InvalidInput, match="is empty"):
            notes.add(text)
    with pytest.raises(InvalidInput, match="5000 characters"):
        notes.add("x" * 5000)
    assert notes.runs() == []
    key = "ghp_" + "a" * 36
    assert notes.add(f"\x1b]0;title\x07use {key}").text == "]0;titleuse [redacted github-token]"
    assert key not in (notes.folder / "run-1.jsonl").read_text("utf-8")


def test_one_task_cannot_fill_the_notes(notes: SharedNotes) -> None:
    """A task has a hundred notes, others still have room; and a run has an end, too."""
    notes.folder.mkdir()
    lines = [json.dumps({"number": at, "run": 1, "text": "x", "task": "loud"}) for at in range(MOST_OF_ONE)]
    (notes.folder / "run-1.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(Refused, match="loud has written 100 notes"):
        notes.add("more", task="loud")
    assert notes.add("quiet", task="other").number == MOST_OF_ONE + 1
    (notes.folder / "run-1.jsonl").write_text(("x" * LONGEST + "\n") * 300)
    with pytest.raises(Refused, match="the notes of run 1 are full"):
        notes.add("more", task="other")


def test_links_are_not_followed(notes: SharedNotes, tmp_path: Path) -> None:
    """An agent that puts a link in the place of the file makes nobody write elsewhere, nor read."""
    (tmp_path / "secret").write_text('{"number":1,"run":1,"text":"secret"}\n')
    notes.folder.mkdir()
    (notes.folder / "run-1.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="is not a plain file"):
        notes.add("x")
    with pytest.raises(Refused, match="is not a plain file"):
        notes.read(1)
    assert (tmp_path / "secret").read_text().count("\n") == 1
    (notes.folder / "run-1.jsonl").unlink()
    os.mkfifo(notes.folder / "run-1.jsonl")  # it would keep a reader waiting for ever
    with pytest.raises(Refused, match="is not a plain file"):
        notes.add("x")
    with pytest.raises(Refused, match="is not a plain file"):
        notes.read(1)


def test_a_run_ends_with_its_notes(notes: SharedNotes) -> None:
    """After the end of a run, notes are for the next one; a run without any takes no number."""
    notes.close()
    assert notes.run == 1
    notes.add("first night")
    notes.close()
    notes.close()
    assert notes.run == 2
    assert notes.add("second night").run == 2
    assert notes.runs() == [1, 2]
    (notes.folder / "run").write_text("two")
    with pytest.raises(InvalidInput, match="does not hold a number"):
        notes.add("x")


def test_the_newest_notes_begin_a_run_on_another_machine(notes: SharedNotes, tmp_path: Path) -> None:
    """As many as have so many bytes; what is added there follows them."""
    notes.add("of an earlier run")
    notes.close()
    for number in range(3):
        notes.add(f"{number} " + "x" * 1000, task="t")
    elsewhere = SharedNotes(tmp_path / "elsewhere" / "context")
    elsewhere.copy_in(notes.run, notes.newest(2_500))
    elsewhere.add("new", task="u")
    assert [(note.run, note.task, note.text[:3]) for note in elsewhere.read(2)] == [
        (2, "t", "1 x"),
        (2, "t", "2 x"),
        (2, "u", "new"),
    ]
    assert SharedNotes(tmp_path / "none").newest(2_500) == b""


def test_the_writer_is_known_by_its_ancestors(tmp_path: Path) -> None:
    """A child that changes or clears its environment is still known; a person is nobody's agent."""
    state = tmp_path / "gitorch"
    ask = (
        "import os, sys; from pathlib import Path; from gitorch.services.context import note_author; "
        "print(note_author(Path(sys.argv[1]), os.environ))"
    )

    def told(**lies: str) -> str:
        marker = str(state / "attempts" / "honest" / "1" / "agent-1")
        inner = " ".join(f"{name}={value}" for name, value in lies.items())
        script = f'env -u GITORCH_TASK {inner} setsid "{sys.executable}" -c "$ASK" "{state}"; true'
        env = {**os.environ, "GITORCH_EXECUTION": marker, "GITORCH_TASK": "honest", "ASK": ask, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["/bin/sh", "-c", script], env=env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    assert told() == "honest"
    assert told(GITORCH_TASK="other") == "honest"
    assert told(GITORCH_EXECUTION=str(state / "attempts" / "other" / "1" / "agent-1")) == "honest"
    assert told(GITORCH_EXECUTION="") == "honest"
    assert note_author(state, {}) == ""
    assert note_author(state, {"GITORCH_TASK": "seen"}) == "seen"
