"""The lines of notes: their bytes stay as they are in every clone, and what is unknown is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gitorch.model import clock, note
from gitorch.model.naming import Oid, TaskId
from gitorch.model.note import AttemptNote, CheckNote, Line, parse_lines
from gitorch.model.noted_task import UNKNOWN_END, read_task
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, CheckResult, Comment, Commits, State, Task, TaskSpec
from tests.support.notes import note_line

BASE, TIP, TREE = Oid("1" * 40), Oid("2" * 40), Oid("3" * 40)
WHEN = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
TASK = Task(
    id=TaskId("one"),
    number=7,
    spec=TaskSpec(
        title='Ünï "x"', prompt="p\x1b\n", role="r", after=(TaskId("zero"),), goal="g", acceptance=("a",), created=WHEN
    ),
    state=State.FINISHED,
    branch="orch/one",
    commits=Commits(BASE, TIP),
    attempt=Attempt(
        number=2,
        agent="claude",
        session="s",
        started=WHEN,
        seconds=1e-05,
        ending="done",
        summary="## Done\nAll.",
        usage=Usage(usd=0.5, input_tokens=3),
    ),
)
WRITTEN: dict[str, tuple[Callable[[], Line], str]] = {
    "attempt": (
        lambda: note.attempt_line(TASK, ["a.py"]),
        '{"kind":"attempt","v":1,"task":"one","number":2,"agent":"claude","role":"r","session":"s","base":"'
        + BASE
        + '","started":"2026-11-22T12:00:00.250000Z","seconds":1e-05,"usage":USAGE,"exit":"done","state":"finished",'
        '"title":"\\u00dcn\\u00ef \\"x\\"","prompt":"p\\u001b\\n","after":["zero"],"task_number":7,'
        '"created":"2026-11-22T12:00:00.250000Z","handoff":{"done":"All.","files":["a.py"]},"goal":"g","acceptance":["a"]}',
    ),
    "adopted": (
        lambda: note.adopted_line(TASK),
        f'{{"kind":"adopted","v":1,"task":"one","branch":"orch/one","base":"{BASE}","tip":"{TIP}",'
        '"title":"\\u00dcn\\u00ef \\"x\\"","prompt":"p\\u001b\\n","after":["zero"],"task_number":7,'
        '"created":"2026-11-22T12:00:00.250000Z"}',
    ),
    "check": (
        lambda: note.check_line(CheckResult(name="test", command="make", tree=TREE, exit_code=0, seconds=2.0)),
        f'{{"kind":"check","v":1,"name":"test","tree":"{TREE}","command":"make","exit_code":0,"seconds":2.0}}',
    ),
    "flaky check": (
        lambda: note.check_line(CheckResult(name="test", command="make", tree=TREE, flaky=True)),
        f'{{"kind":"check","v":1,"name":"test","tree":"{TREE}","command":"make","exit_code":null,"seconds":0.0,"flaky":true}}',
    ),
    "verdict": (
        lambda: note.verdict_line(TASK, "revise", "una", [Comment(text="why?", file="a.py", line=3)]),
        '{"kind":"verdict","v":1,"task":"one","who":"una","verdict":"revise",'
        '"comments":[{"text":"why?","file":"a.py","line":3}],"when":"NOW"}',
    ),
    "merged": (
        lambda: note.merged_line(TASK.id, TIP, "orch/integration"),
        f'{{"kind":"merged","v":1,"task":"one","commit":"{TIP}","integration":"orch/integration","when":"NOW"}}',
    ),
    "resolved": (
        lambda: note.resolved_line(TASK.id, "rerere", ["a.py"]),
        '{"kind":"resolved","v":1,"task":"one","paths":["a.py"],"by":"rerere"}',
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_line_has_the_bytes_it_always_had(kind: str) -> None:
    """Names, order and form of the fields are those of every note written so far, and a line reads back as it was."""
    write, expected = WRITTEN[kind]
    line = write()
    usage = '{"usd":0.5,"input_tokens":3}'
    written = re.sub(r'"when":"[-0-9T:]+Z"', '"when":"NOW"', line.text.decode("ascii"))
    assert written == expected.replace("USAGE", usage)
    assert [*parse_lines(line.text)] == [line]


def test_what_is_unknown_is_a_line_without_a_meaning() -> None:
    """A later kind, a later form of a known kind and further fields keep their text; other text is no line."""
    texts = [
        b'{"kind":"blessed","v":1,"by":"una"}',
        b'{"kind":"check","v":9,"name":["a"]}',
        b'{"kind":"resolved","v":1,"task":"one","paths":[],"by":"x","further":[1]}',
    ]
    lines = [*parse_lines(b"\n".join([b"looks good", b"[1]", b'{"kind":3}', b'{"broken', b"\xff", *texts]))]
    assert [line.text for line in lines] == texts
    assert [line.note is None for line in lines] == [True, True, False]


def test_an_event_has_one_key() -> None:
    """The note of an attempt can be told from that of another one, whatever else it says."""
    first, second = (note_line(kind="attempt", task="one", number=number, exit="done") for number in (1, 2))
    assert first.key == note_line(kind="attempt", task="one", number=1).key != second.key
    assert note_line(kind="check", name="test", tree=TREE, command="x").key is None


def test_a_task_is_rebuilt_from_its_notes() -> None:
    """The last attempt, the checks after it and the verdict count; without an attempt the end is unknown."""
    lines = [
        note_line(kind="attempt", task="one", number=1, state="failed"),
        note_line(kind="check", name="test", tree=TREE, command="x", exit_code=1),
        note.attempt_line(TASK),
        note.check_line(CheckResult(name="test", command="make", tree=TREE, exit_code=0)),
        note_line(kind="verdict", task="one", verdict="approve"),
    ]
    task = read_task("one", 1, "orch/one", TIP, None, lines)
    assert (task.state, task.attempts, task.number, task.passed) == (State.APPROVED, 2, 7, True)
    assert task.commits == Commits(BASE, TIP)
    assert task.spec.acceptance == ("a",)
    unknown = read_task("one", 1, "orch/one", TIP, BASE, [note_line(kind="verdict", task="one", verdict="approve")])
    assert (unknown.state, unknown.reason, unknown.number) == (State.FAILED, UNKNOWN_END, 1)


def test_times_are_utc_to_the_second() -> None:
    assert clock.rfc3339(WHEN) == "2026-11-22T12:00:00Z"
    assert clock.now().endswith("Z")


def test_defaults_read_old_lines() -> None:
    """A line with few fields is a note: what older versions did not write has a neutral value."""
    attempt, check = (
        note_line(kind="attempt", task="one").note,
        note_line(kind="check", name="a", tree=TREE, command="x").note,
    )
    assert isinstance(attempt, AttemptNote)
    assert attempt.number == 1
    assert isinstance(check, CheckNote)
    assert check.exit_code is None
