"""State files of earlier versions: what became of a rebased task was known by the first words of its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Commits, Restack, State, change
from gitorch.storage.tasks import Store

_COMMIT = "1" * 40
_FILE = """\
{tasks}
[end]
tasks = 3
generation = 3
"""
_TASK = """\
[[task]]
id = "{name}"
number = {number}
title = "T"
prompt = "Do it"
state = "{state}"
reason = "{reason}"
stale = {stale}
commits = {{ base = "{commit}", tip = "{commit}" }}

"""
_REBASED = "rebased on the new work of low, other"
_NOT_REBASED = "not rebased: it conflicts with low in a; b.txt; a new attempt starts on the new work"


def table(name: str, number: int, state: str, reason: str) -> str:
    stale = str(reason.startswith("not")).lower()
    return _TASK.format(name=name, number=number, state=state, reason=reason, stale=stale, commit=_COMMIT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A task file of an earlier version: rebased, not rebased, and a reason that only begins like one."""
    tasks = (
        table("mid", 1, "finished", _REBASED),
        table("top", 2, "approved", _NOT_REBASED),
        table("out", 3, "rejected", _REBASED),
    )
    (tmp_path / "tasks.toml").write_text(_FILE.format(tasks="".join(tasks)))
    return Store(tmp_path)


def test_a_reason_becomes_a_field(store: Store) -> None:
    """The words of the reason say what they said before; the task awaits its checks, or is left behind."""
    tasks = store.load()
    mid, top, out = (tasks[TaskId(name)] for name in ("mid", "top", "out"))
    assert (mid.restack, mid.reason) == (Restack(dependencies=(TaskId("low"), TaskId("other"))), "")
    assert (mid.awaits_checks, mid.is_left_behind, mid.explanation) == (True, False, _REBASED)
    assert (top.restack, top.reason) == (Restack(problem="it conflicts with low in a; b.txt"), "")
    assert (top.awaits_checks, top.is_left_behind, top.explanation) == (False, True, _NOT_REBASED)
    assert (out.restack, out.reason) == (None, _REBASED)


def test_what_a_journal_says_becomes_a_field(store: Store) -> None:
    """A line of the journal after the task file is read like the file."""
    line = {"g": 4, "task": "out", "set": {"state": "finished"}}
    journal = store.folder / "journal"
    journal.mkdir()
    (journal / "3.jsonl").write_text(json.dumps(line) + "\n")
    assert store.load()[TaskId("out")].awaits_checks


@pytest.mark.parametrize("writes_snapshot", [False, True])
def test_what_was_settled_does_not_come_back(store: Store, *, writes_snapshot: bool) -> None:
    """The field is cleared, or another field is changed, and the next process does not read the old words again."""
    tasks = store.load()
    mid, top = tasks[TaskId("mid")], tasks[TaskId("top")]
    store.save([change(mid, restack=None), change(top, commits=Commits(Oid(_COMMIT)))])
    if writes_snapshot:
        store.snapshot()
        text = store.file.read_text()
        assert text.count("rebased on the new work") == 1  # of the rejected one
    after = Store(store.folder).load()
    assert (after[mid.id].restack, after[mid.id].reason, after[mid.id].state) == (None, "", State.FINISHED)
    assert after[top.id].restack == top.restack
    assert after[top.id].tip is None
