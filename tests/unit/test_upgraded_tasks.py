"""State files of earlier versions: some things were known by the first words of a reason."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import Commits, ReasonKind, Restack, State, Task, change
from gitorch.storage.operations import TaskChange, difference, fingerprint, inverse, restored
from gitorch.storage.tasks import Store
from tests.support.tasks import make_task

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


WORDS = {
    (State.WAITING, ReasonKind.ASKED): ("asked: which?", "which?"),
    (State.WAITING, ReasonKind.ANSWERED): ("answered: it is one line", "it is one line"),
    (State.APPROVED, ReasonKind.LEFT_OUT): (
        "left out of the last merge: check t fails with it",
        "check t fails with it",
    ),
}


@pytest.mark.parametrize(("state", "kind"), WORDS)
def test_the_kind_of_a_reason_becomes_a_field(tmp_path: Path, state: State, kind: ReasonKind) -> None:
    """It is shown as before; the same words in another state, or after another kind, are only words."""
    words, reason = WORDS[state, kind]
    tasks = (
        table("old", 1, state, words),
        table("failed", 2, "failed", words),
        table("new", 3, state, words).replace("stale =", f'reason_kind = "{kind}"\nstale ='),
    )
    (tmp_path / "tasks.toml").write_text(_FILE.format(tasks="".join(tasks)))
    old, failed, new = Store(tmp_path).load().values()
    assert (old.reason, old.reason_kind, old.explanation) == (reason, kind, words)
    assert (old.question, old.has_result, old.is_left_out) == (
        reason if kind is ReasonKind.ASKED else "",
        kind is ReasonKind.ANSWERED,
        kind is ReasonKind.LEFT_OUT,
    )
    assert (failed.reason, failed.reason_kind) == (words, None)
    assert (new.reason, new.reason_kind, new.explanation) == (words, kind, f"{kind.words}: {words}")


def _written_before(before: Task, after: Task) -> TaskChange:
    """Return a change between two tasks without kinds of reasons, as an earlier version wrote it."""
    recorded = msgspec.to_builtins(difference(before, after))
    for side in ("old", "new"):
        recorded[side].pop("reason_kind", None)
    return msgspec.convert(recorded, TaskChange)


@pytest.mark.parametrize(("state", "kind"), WORDS)
def test_an_operation_of_an_earlier_version_is_undone_and_redone(state: State, kind: ReasonKind) -> None:
    """Its entry has the words in the reason, and no kind."""
    words, reason = WORDS[state, kind]
    plain = make_task(id=TaskId("one"), number=1, title="T", prompt="P", state=state, reason="")
    recorded = _written_before(plain, msgspec.structs.replace(plain, reason=words))
    task = change(plain, reason=reason, reason_kind=kind)
    assert fingerprint(task) == recorded.after
    assert restored(recorded, task) == plain
    assert restored(inverse(recorded), plain) == task


def test_a_change_of_the_reason_alone_is_undone() -> None:
    """The kind stays; and with another reason it goes, unless it is given."""
    plain = make_task(id=TaskId("one"), number=1, title="T", prompt="P", state=State.WAITING)
    asked = change(plain, reason="which?", reason_kind=ReasonKind.ASKED)
    again = change(asked, reason="or which?", reason_kind=ReasonKind.ASKED)
    assert restored(difference(asked, again), again) == asked
    assert change(asked, reason="which?").reason_kind is ReasonKind.ASKED
    assert change(asked, reason="killed").reason_kind is None


_BASE, _TIP = "1" * 40, "2" * 40


def test_fields_had_other_names(tmp_path: Path) -> None:
    """The commits were two fields of the task, and the conflict that an attempt has to solve was two others."""
    table = f"""\
[[task]]
id = "old"
number = 1
title = "T"
prompt = "Do it"
role_why = "as named"
from_ref = "v1"
tried = "x"
base = "{_BASE}"
tip = "{_TIP}"
standoff = "{_COMMIT}"
contested = {{ about = "y", base = "{_BASE}", tip = "{_TIP}", below = ["top"] }}
[end]
tasks = 1
generation = 1
"""
    (tmp_path / "tasks.toml").write_text(table)
    (old,) = Store(tmp_path).load().values()
    assert old.commits == Commits(Oid(_BASE), Oid(_TIP))
    assert (old.spec.role_reason, old.spec.base_ref, old.failed_conflict_id) == ("as named", "v1", "x")
    assert old.conflict is not None
    assert (old.conflict.conflict_id, old.conflict.conflict_commit, old.conflict.dependents) == ("y", _COMMIT, ("top",))


def test_a_journal_had_other_names_too(store: Store) -> None:
    """A line may set the tip alone; a base that is taken away takes the tip along."""
    lines = [
        {"g": 4, "task": "mid", "set": {"tip": _TIP}},
        {"g": 5, "task": "top", "set": {"base": None, "tip": None}},
    ]
    journal = store.folder / "journal"
    journal.mkdir()
    (journal / "3.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tasks = store.load()
    assert tasks[TaskId("mid")].commits == Commits(Oid(_COMMIT), Oid(_TIP))
    assert tasks[TaskId("top")].commits is None
