"""The operation log: read from its end, whole or not at all, and the two stacks of undo and redo in it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import tomli
from hypothesis import given, strategies as st

from gitorch.git.notes.revert import revert_text
from gitorch.model.naming import Ref, TaskId
from gitorch.model.refs import RefUpdate
from gitorch.model.table import field_values, from_table
from gitorch.model.task import State, Task, change_spec
from gitorch.storage.operations import (
    REDO,
    UNDO,
    Operation,
    OperationLog,
    applied,
    describe,
    difference,
    fingerprint,
    inverse,
    restored,
)
from gitorch.storage.tasks import blocks
from tests.support import tasks as any_tasks
from tests.support.tasks import make_task

TASK = make_task(id=TaskId("one"), number=1, title="One", prompt="Do it")


@pytest.fixture
def log(tmp_path: Path) -> OperationLog:
    return OperationLog(tmp_path / "state" / "operations.jsonl")


def done(log: OperationLog, kind: str = "submit", about: Operation | None = None) -> Operation:
    """Write an operation that was carried through."""
    operation = log.open(kind, (), (), reverts=about)
    log.close(operation, is_complete=True)
    return operation


def test_what_was_opened_reads_back_whole(log: OperationLog) -> None:
    """An operation comes back as it was written, with its refs, its tasks before and after, and its words."""
    changed = difference(TASK, msgspec.structs.replace(TASK, state=State.CANCELLED))
    written = log.open("kill", [RefUpdate(Ref("refs/heads/orch/one"), None, None)], [changed], summary="kill one")
    assert log.unfinished() == [written]
    assert (written.number, written.summary, written.is_exact) == (1, "kill one", True)
    log.close(written, is_complete=True)
    assert log.unfinished() == []
    assert list(log.completed()) == [written]
    assert (changed.old, changed.new) == ({"state": "queued"}, {"state": "cancelled"})


def test_an_operation_that_was_given_up_is_not_done(log: OperationLog) -> None:
    """What moved nothing is neither unfinished nor something to take back; its number is not used again."""
    given_up = log.open("merge", (), ())
    log.close(given_up, is_complete=False)
    assert log.unfinished() == list(log.completed()) == list(log.undoable()) == []
    assert log.open("merge", (), ()).number == 2


def test_a_log_that_is_not_there_is_empty(log: OperationLog) -> None:
    """Before the first operation everything is settled, and there is nothing to take back."""
    assert log.is_settled()
    assert log.unfinished() == list(log.undoable()) == list(log.redoable()) == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_short_announces_nothing(log: OperationLog, cut: int) -> None:
    """Killed while it wrote, an operation has not begun: the next one takes its number, and the log reads on."""
    first = done(log)
    noted = log.path.parent / "sizes" / log.path.name
    before = noted.read_bytes()
    log.open("merge", (), ())
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    noted.write_bytes(before)  # which is written last
    assert log.unfinished() == []
    second = done(log, "approve")
    assert second.number == 2
    assert list(log.undoable()) == [second, first]


def test_the_log_is_read_from_its_end(log: OperationLog) -> None:
    """However long the log is, what came last is found without reading what came first."""
    reports: list[str] = []
    log.report = reports.append
    last = done(log)
    damaged = b'{"number":"not a number"}\n' + b" " * 200_000 + b"\n"
    log.path.write_bytes(damaged + log.path.read_bytes())
    log.close(log.open("approve", (), ()), is_complete=False)
    assert next(log.undoable()) == last
    assert log.unfinished() == []
    assert reports == []
    assert list(log.undoable()) == [last]
    assert len(reports) == 2


@pytest.mark.parametrize("line", [b"\xff\x00", b"{", b"[" * 5000, b'{"number":1}', b'{"closed":"x"}', b"null"])
def test_a_damaged_line_costs_that_line_only(log: OperationLog, line: bytes) -> None:
    """Whatever stands in a line, the operations before and after it are there; what is lost is said, with its place."""
    reports: list[str] = []
    log.report = reports.append
    first = done(log)
    offset = log.path.stat().st_size
    log.path.write_bytes(log.path.read_bytes() + line + b"\n")
    second = done(log, "approve")
    reports.clear()
    assert list(log.undoable()) == [second, first]
    assert reports == [f"operations.jsonl: the line at byte {offset} is damaged: what is in it cannot be undone"]


@pytest.mark.parametrize("keep", [0, 1, 30, 200, -30])
def test_a_log_whose_end_is_missing_is_gone_on_with(log: OperationLog, keep: int) -> None:
    """The loss is said once, no operation is taken for an interrupted one, and no number is used twice."""
    for kind in ("submit", "approve", "merge"):
        done(log, kind)
    content = log.path.read_bytes()
    last = content.rindex(b'{"number":3')
    log.path.write_bytes(content[: keep if keep >= 0 else last + keep])
    assert not log.is_settled()
    reports: list[str] = []
    log.report = reports.append
    log.accept_cut()
    assert len(reports) == 1
    assert "bytes of operations.jsonl were cut off or removed" in reports[0]
    assert log.unfinished() == []
    assert done(log).number == 4
    log.accept_cut()
    assert len(reports) == 1


def test_a_log_that_was_removed_is_gone_on_with(log: OperationLog) -> None:
    """The same for a log of which nothing is left."""
    done(log)
    log.path.unlink()
    assert not log.is_settled()
    reports: list[str] = []
    log.report = reports.append
    log.accept_cut()
    assert len(reports) == 1
    assert log.is_settled()
    assert done(log).number == 2


def test_lines_longer_than_a_block_read_whole(log: OperationLog) -> None:
    """An operation on very many tasks is one line, however long, between short ones."""
    operations = []
    for size in (1, 200_000, 65_536, 3):
        operations.append(log.open("submit", (), (), summary="x" * size))
        log.close(operations[-1], is_complete=True)
    assert list(log.completed()) == operations[::-1]


@given(st.lists(st.sampled_from(["do", UNDO, REDO]), max_size=30))
def test_undo_and_redo_are_two_stacks(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """After any steps, undo is about what a textbook undo stack has on top, and redo about its redo stack's top."""
    log = OperationLog(tmp_path_factory.mktemp("log") / "operations.jsonl")
    past: list[int] = []
    future: list[int] = []
    for step in steps:
        if step == "do":
            past.append(done(log).number)
            future.clear()
        elif step == UNDO and past:
            assert done(log, UNDO, next(log.undoable())).origin == past[-1]
            future.append(past.pop())
        elif step == REDO and future:
            assert done(log, REDO, next(log.redoable())).origin == future[-1]
            past.append(future.pop())
        assert [operation.origin for operation in log.undoable()] == past[::-1]
        assert [operation.origin for operation in log.redoable()] == future[::-1]


def test_an_undo_is_named_after_what_it_is_about(log: OperationLog) -> None:
    """The undo of a redo of an undo of a merge still tells of that merge."""
    merge = done(log, "merge")
    undo = done(log, UNDO, merge)
    redo = done(log, REDO, undo)
    assert (undo.origin, undo.requested_kind) == (redo.origin, redo.requested_kind) == (merge.number, "merge")


@given(any_tasks.tasks, any_tasks.tasks)
def test_a_change_goes_both_ways(old: Task, other: Task) -> None:
    """From a task and its change, written as JSON and read again, comes the other one, exactly; likewise backwards."""
    new = msgspec.structs.replace(other, id=old.id)
    pairs: list[tuple[Task | None, Task | None]] = [(old, new), (None, new), (old, None)]
    for before, after in pairs:
        written = difference(before, after)
        read = msgspec.json.decode(msgspec.json.encode(written), type=type(written))
        assert restored(read, after) == before
        assert applied(read, before) == after
        assert inverse(inverse(read)) == read
        assert (read.before, read.after) == (fingerprint(before), fingerprint(after))


@given(any_tasks.tasks)
def test_a_task_is_known_again_wherever_it_was_read(task: Task) -> None:
    """A task from the journal and one from the task file have one fingerprint, in any order of checks."""
    turned = change_spec(task, checks=dict(reversed(task.spec.checks.items())))
    journal = from_table(msgspec.json.decode(msgspec.json.encode(field_values(task))))
    (table,) = tomli.loads(blocks.render(task).decode())["task"]
    found = {fingerprint(one) for one in (task, turned, journal, from_table(table))}
    assert found == {fingerprint(task)}
    assert fingerprint(None) == "" != fingerprint(task)
    assert fingerprint(msgspec.structs.replace(task, attempts=task.attempts + 1)) != fingerprint(task)


def test_words_name_the_first_and_count_the_rest() -> None:
    """What is done to very many tasks is still said in one short line."""
    many = [msgspec.structs.replace(TASK, id=TaskId(f"t{number}")) for number in range(500)]
    assert describe("approve", many[:2]) == "approve t0, t1"
    assert describe("approve", many) == "approve t0, t1, t2 and 497 more"


_lines = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n"]), max_size=6).map(b"".join)


@given(_lines, _lines, _lines)
def test_appended_lines_come_out_and_those_after_them_stay(before: bytes, added: bytes, later: bytes) -> None:
    """What was appended is taken out again, whoever appended since; without later lines the text is as it was."""
    after = before + added
    assert revert_text(after, before, after) == before
    left = revert_text(after + later, before, after)
    assert left is not None
    assert sorted(left) == sorted(before + later)
    assert revert_text(left, after, before) is not None


def test_lines_that_were_rewritten_are_not_guessed_at() -> None:
    """Where somebody changed what was added, nothing is taken out."""
    assert revert_text(b"a\nB\n", b"a\n", b"a\nb\n") is None
    assert revert_text(b"", b"", b"b\n") is None


def test_lines_that_were_taken_out_come_back_where_they_were() -> None:
    """The way forward again: before what was appended since, or at the end where what was before is not the same."""
    assert revert_text(b"a\nnew\n", b"a\nb\n", b"a\n") == b"a\nb\nnew\n"
    assert revert_text(b"other\n", b"a\nb\n", b"a\n") == b"other\nb\n"


def test_the_log_is_lines_of_json(log: OperationLog) -> None:
    """A person can read it with any tool."""
    done(log)
    first, second = (json.loads(line) for line in log.path.read_text().splitlines())
    assert first["kind"] == "submit"
    assert second == {"closed": 1, "done": True}


def test_an_empty_log_is_settled(log: OperationLog) -> None:
    """A command that was killed right after it made the file has begun nothing; half a line is something else."""
    log.path.parent.mkdir()
    log.path.touch()
    assert log.is_settled()
    log.path.write_bytes(b'{"number": 1')
    assert not log.is_settled()
