"""What an attempt keeps of its agents' events, and when each was written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gitorch.executors import write_times
from gitorch.executors.write_times import TimesFile, WriteTimes
from gitorch.flow.attempt.event_log import NAME, read_events, write_events
from gitorch.model.outcome import Event
from tests.support.schemas import check_output

LIMIT = 1_000_000
SAID = [
    Event(kind="text", text="hello \N{ROCKET}\n", time=1_796_000_000.25),
    Event(kind="tool", tool="Bash", text="Bash: make", time=1_796_000_001.0),
    Event(kind="result", tool="Bash", text="\x1b[31mred"),
]


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / NAME).read_bytes().splitlines()]


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    """Each execution has its own, in the form of `log --json`; one that ends again replaces its own."""
    write_events(tmp_path, "agent-1", [Event(kind="text", text="old")], limit=LIMIT)
    write_events(tmp_path, "agent-2", [Event(kind="end", text="two")], limit=LIMIT)
    write_events(tmp_path, "agent-1", SAID, limit=LIMIT)
    assert read_events(tmp_path, "agent-1") == SAID
    assert read_events(tmp_path, "agent-2") == [Event(kind="end", text="two")]
    assert read_events(tmp_path, "agent-3") == []
    check_output(("log", "--json"), (tmp_path / NAME).read_bytes())
    assert lines(tmp_path)[1]["at"] == "2026-11-30T00:53:20.250Z"
    assert {line["schema"] for line in lines(tmp_path)} == {"gitorch/log/1"}


def test_of_too_many_events_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    """An event between them says how many are missing."""
    events = [Event(kind="text", text=f"event {number}") for number in range(1_000)]
    write_events(tmp_path, "agent-1", events, limit=10_000)
    kept = read_events(tmp_path, "agent-1")
    assert (tmp_path / NAME).stat().st_size < 10_200
    missing = 1_001 - len(kept)
    gap = kept.index(Event(kind="text", text=f"[gitorch: {missing} events are missing here]"))
    assert kept[:gap] == events[:gap]
    assert kept[gap + 1 :] == events[gap + missing :]
    assert gap > 20
    assert len(kept) - gap > 20


def test_one_event_may_be_larger_than_the_limit(tmp_path: Path) -> None:
    """The last event is always there."""
    events = [Event(kind="text", text="first"), Event(kind="text", text="x" * 10_000)]
    write_events(tmp_path, "agent-1", events, limit=500)
    assert read_events(tmp_path, "agent-1") == events


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    """Text of a program may not be Unicode."""
    write_events(tmp_path, "agent-1", [Event(kind="text", text="a\udcff")], limit=LIMIT)
    assert read_events(tmp_path, "agent-1") == [Event(kind="text", text="a?")]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"schema":"gitorch/log/1","execution":"agent-1","at":"yesterday","kind":"text","tool":"","text":"x"}\n',
        b'{"schema":"gitorch/log/1","execution":"agent-1","at":null,"kind":"odd","tool":"","text":"x"}\n',
    ],
)
def test_lines_that_gitorch_did_not_write_are_skipped(tmp_path: Path, content: bytes) -> None:
    """An agent without a sandbox can write there."""
    (tmp_path / NAME).write_bytes(content)
    assert read_events(tmp_path, "agent-1") == []
    write_events(tmp_path, "agent-1", SAID, limit=LIMIT)
    assert read_events(tmp_path, "agent-1") == SAID


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge"])
def test_what_is_no_file_of_gitorch_is_not_read(tmp_path: Path, kind: str) -> None:
    """Nothing is followed, waited for, or read into memory."""
    path = tmp_path / NAME
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    assert read_events(tmp_path, "agent-1") == []
    write_events(tmp_path, "agent-1", SAID, limit=LIMIT)
    assert read_events(tmp_path, "agent-1") == ([] if kind == "folder" else SAID)


def test_times_of_positions() -> None:
    """A position has the time of the last line before it; what is no such line is skipped."""
    times = WriteTimes([b"0 1000\n", b"x\n", b"1 2 3\n", b"-5 1\n", b"9" * 99 + b" 1\n", b"100 2500\n", b"200 99"])
    assert [times.at(position) for position in (0, 99, 100, 150)] == [1.0, 1.0, 2.5, 2.5]
    assert times.at(200) == 0.099
    assert WriteTimes([]).at(7) is None
    assert WriteTimes([b"10 1000\n"]).at(9) is None


def test_a_new_time_is_at_least_a_second_after_the_one_before(tmp_path: Path) -> None:
    """A program that writes without a pause makes no large file."""
    folder = os.open(tmp_path, os.O_RDONLY)
    times = TimesFile(folder)
    for position in range(1_000):
        times.note(position)
    times.close()
    os.close(folder)
    assert len((tmp_path / write_times.STREAM).read_bytes().splitlines()) < 100
