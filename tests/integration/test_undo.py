"""Undo is exact: refs, notes and tasks are as they were, byte for byte, or nothing moves and the reason is said."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch import services
from gitorch.errors import Refused
from gitorch.flow import intake
from gitorch.git.layout import TRASH
from gitorch.git.notes import note_store
from gitorch.model.naming import Oid, Ref
from gitorch.model.note import VerdictNote
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Comment, State, Task
from gitorch.replay import MemoryReplayer
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import Operation, StateChange
from gitorch.storage.tasks import TaskMoved
from tests.support.days import WHO, adopt, approve, branch, finish_by_hand, finished, merge, submit, whole
from tests.support.git import git
from tests.support.notes import fields_of, note_line
from tests.support.scale import scaled

PlanEdit = Callable[[Workspace], object]


@pytest.fixture
def library(repository_folder: Path) -> Workspace:
    """Two finished tasks, a third that waits for the second, and a queued one."""
    folder = repository_folder
    library = finished(folder, "one", "two")
    branch(folder, "work/top", "top.txt", base="work/two")
    adopt(library, "work/top")
    submit(library, "queued")
    return library


@pytest.fixture
def folder(library: Workspace) -> Path:
    assert library.repository.work_tree is not None
    return library.repository.work_tree


def one_merged(library: Workspace) -> None:
    """Merge one task, and approve another."""
    approve(library, "one")
    merge(library)
    approve(library, "two")


def clashing(library: Workspace) -> None:
    """Merge one task, and approve one that changes the same file."""
    one_merged(library)
    branch(here(library), "work/clash", "one.txt")
    adopt(library, "work/clash")
    approve(library, "clash")


def over(library: Workspace) -> None:
    """Bring one task to its end, and reject another."""
    one_merged(library)
    services.reviewing.review.reject(library, services.lookup.find_task(library, "top"), WHO, "not this")


STEPS: dict[str, tuple[PlanEdit, PlanEdit]] = {
    "submit": (lambda _: None, lambda library: submit(library, "first", "second", after=("one",))),
    "adopt": (lambda library: branch(here(library), "work/more", "m.txt"), lambda library: adopt(library, "work/more")),
    "adopt remote": (
        lambda library: git("update-ref", "refs/remotes/up/far", branch(here(library), "x", "x"), cwd=here(library)),
        lambda library: adopt(library, "up/far"),
    ),
    "comment": (
        lambda _: None,
        lambda library: services.reviewing.comments.add_comment(
            library, services.lookup.find_task(library, "one"), Comment(text="odd\r\n`;` 🚀\0", author=WHO)
        ),
    ),
    "approve": (lambda _: None, lambda library: approve(library, "one", "two")),
    "revise": (
        lambda _: None,
        lambda library: services.reviewing.review.revise(
            library, services.lookup.find_task(library, "two"), WHO, [Comment(text="again")]
        ),
    ),
    "reject": (
        lambda _: None,
        lambda library: services.reviewing.review.reject(library, services.lookup.find_task(library, "two"), WHO, "no"),
    ),
    "retry": (
        lambda _: None,
        lambda library: services.submit.retry(
            library, [services.lookup.find_task(library, "two"), services.lookup.find_task(library, "one")]
        ),
    ),
    "kill": (
        lambda _: None,
        lambda library: services.stop.kill(library, [services.lookup.find_task(library, "queued")], "killed"),
    ),
    "first merge": (lambda library: approve(library, "one", "two"), merge),
    "second merge": (one_merged, merge),
    "conflict": (clashing, lambda library: merge(library, "clash")),
    "cleanup": (
        over,
        lambda library: list(services.maintenance.cleanup(library, services.maintenance.removable(library))),
    ),
}


def here(library: Workspace) -> Path:
    assert library.repository.work_tree is not None
    return library.repository.work_tree


@pytest.mark.parametrize("name", STEPS)
def test_undo_puts_everything_back_and_redo_brings_it_again(library: Workspace, folder: Path, name: str) -> None:
    """Of every changing command: done, taken back, brought back and taken back again, by a new process each time."""
    prepare, act = STEPS[name]
    prepare(library)
    before = whole(folder)
    act(open_workspace(folder))
    after = whole(folder)
    assert after != before, "the command changes something"
    for _ in range(2):
        services.undo.undo(open_workspace(folder))
        assert whole(folder) == before
        services.undo.redo(open_workspace(folder))
        assert whole(folder) == after
    git("fsck", "--full", "--strict", "--no-dangling", cwd=folder)


def test_what_undo_leaves_behind_stays_reachable(library: Workspace, folder: Path) -> None:
    """The commits of a merge that was taken back, and of a branch that an adoption made, survive a gc."""
    approve(library, "one")
    merge(library)
    tip = services.branches.own_branches.integration_tip(library)
    services.undo.undo(library)
    git("update-ref", "refs/remotes/up/far", branch(folder, "far", "far.txt"), cwd=folder)
    git("branch", "-D", "far", cwd=folder)
    (far,) = adopt(library, "up/far")
    services.undo.undo(library)
    git("update-ref", "-d", "refs/remotes/up/far", cwd=folder)
    git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all", cwd=folder)
    git("gc", "--quiet", "--prune=now", cwd=folder)
    assert git("cat-file", "-t", str(tip), cwd=folder) == git("cat-file", "-t", str(far.tip), cwd=folder) == "commit"


def test_what_others_noted_since_stays(library: Workspace, folder: Path) -> None:
    """A run goes on writing notes: undo takes out the lines of its operation alone, and redo puts them back."""
    tip = services.lookup.find_task(library, "one").tip
    assert tip is not None
    services.reviewing.review.approve(
        library, [services.lookup.find_task(library, "one"), services.lookup.find_task(library, "two")], WHO, force=True
    )
    told = note_store.read_all(library.repository)
    note_store.append(library.repository, {tip: [note_line(kind="attempt", task="other")]}, "by a run")
    services.undo.undo(library)
    mine = note_store.read_all(library.repository)
    assert [fields["kind"] for fields in fields_of(mine[tip])] == ["adopted", "attempt"]
    assert not [line for lines in mine.values() for line in lines if isinstance(line.note, VerdictNote)]
    note_store.append(library.repository, {tip: [note_line(kind="attempt", task="another")]}, "by a run")
    services.undo.redo(library)
    again = note_store.read_all(library.repository)
    assert [fields["kind"] for fields in fields_of(again[tip])] == [
        "adopted",
        "verdict",
        "viewed",
        "attempt",
        "attempt",
    ]
    assert {key: lines for key, lines in again.items() if key != tip} == {k: v for k, v in told.items() if k != tip}


def test_a_note_that_only_the_operation_wrote_goes_away(library: Workspace, folder: Path) -> None:
    """Where others noted elsewhere since, the new commits of a merge that is taken back have no note any more."""
    one_merged(library)
    merge(library)
    new = services.branches.own_branches.integration_tip(library)
    tip = services.lookup.find_task(library, "one").tip
    assert new is not None
    assert tip is not None
    note_store.append(library.repository, {tip: [note_line(kind="attempt", task="other")]}, "by a run")
    services.undo.undo(library)
    told = note_store.read_all(library.repository)
    assert new not in told
    assert told[tip][-1] == note_line(kind="attempt", task="other")
    assert services.lookup.find_task(library, "two").state is State.APPROVED


# refused, with the reason


def refused(library: Workspace, folder: Path, *words: str, redo: bool = False) -> Refused:
    """Assert that undo refuses with these words, and that nothing has moved."""
    before = whole(folder)
    log = (folder / ".git/gitorch/operations.jsonl").read_bytes()
    with pytest.raises(Refused) as refusal:
        services.undo.redo(library) if redo else services.undo.undo(library)
    said = f"{refusal.value.what} {refusal.value.why} {refusal.value.fix}"
    assert all(word in said for word in words), said
    assert whole(folder) == before
    assert (folder / ".git/gitorch/operations.jsonl").read_bytes() == log
    return refusal.value


def test_nothing_to_take_back(repository_folder: Path) -> None:
    """Before the first operation, and after the last undo, there is nothing to take back; nor anything to redo."""
    library = open_workspace(repository_folder)
    for act in (services.undo.undo, services.undo.redo):
        with pytest.raises(Refused, match="there is nothing to"):
            act(library)


def test_a_task_that_a_run_has_worked_on_since(library: Workspace, folder: Path) -> None:
    """What agents did is theirs: the submission of a task that is being worked on is not taken back."""
    finish_by_hand(library, "queued")
    error = refused(library, folder, "queued has changed since", "it is running now", "orchestrate kill queued")
    assert error.exit == 5


def test_a_run_may_change_other_tasks_meanwhile(library: Workspace, folder: Path) -> None:
    """What happens to other tasks is no obstacle, and stays as it is."""
    approve(library, "one")
    running = finish_by_hand(library, "queued")
    services.undo.undo(library)
    assert services.lookup.find_task(library, "one").state is State.FINISHED
    assert services.lookup.find_task(library, "queued") == running


def test_an_integration_branch_that_has_moved_on(library: Workspace, folder: Path) -> None:
    """Somebody's commit on top of a merge keeps it from being taken back; taken away again, it does not."""
    approve(library, "one")
    merge(library)
    tip = str(services.branches.own_branches.integration_tip(library))
    on_top = git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "by hand", cwd=folder)
    git("update-ref", "refs/heads/orch/integration", on_top, cwd=folder)
    refused(library, folder, "orch/integration has moved since", tip[:12], on_top[:12])
    git("update-ref", "refs/heads/orch/integration", tip, cwd=folder)
    services.undo.undo(library)
    assert services.branches.own_branches.integration_tip(library) is None


def test_an_integration_branch_that_is_checked_out(library: Workspace, folder: Path) -> None:
    """Moving a branch under somebody's feet would make their files look changed."""
    approve(library, "one")
    merge(library)
    git("worktree", "add", "--quiet", str(folder.parent / "tryout"), "orch/integration", cwd=folder)
    refused(library, folder, "is checked out in", "tryout", "switch --detach")


def published(library: Workspace) -> tuple[str, Oid]:
    """Merge, and publish to `main` in the same operation, as `merge --into` does; return what main was, and is."""
    approve(library, "one")
    folder = here(library)
    git("checkout", "--quiet", "--detach", cwd=folder)
    main = git("rev-parse", "main", cwd=folder)
    task = services.lookup.find_task(library, "one")
    assert task.tip is not None
    moves = [RefUpdate(Ref("refs/heads/main"), task.tip, Oid(main))]
    with services.recovery.operations.operation_lock(library):
        services.changes.move_refs_and_states(
            library, "merge", moves, [StateChange(task.id, task.state, State.MERGED, task.tip)], "merge into main"
        )
    return main, task.tip


def test_what_was_published_to_a_branch_of_the_users(library: Workspace, folder: Path) -> None:
    """Only its owner takes commits away from a branch; when they have, the rest is taken back, and not brought back."""
    main, _ = published(library)
    error = refused(library, folder, "it was published to main", f"git branch --force main {main}")
    git(*error.fix[0].split()[1:], cwd=folder)
    services.undo.undo(library)
    assert services.lookup.find_task(library, "one").state is State.APPROVED
    assert git("rev-parse", "main", cwd=folder) == main
    refused(library, folder, "it published to main", redo=True)


def test_a_published_branch_that_has_moved_on(library: Workspace, folder: Path) -> None:
    """Where others built on what was published, it cannot be taken back."""
    _, tip = published(library)
    on_top = git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "by hand", cwd=folder)
    git("update-ref", "refs/heads/main", on_top, cwd=folder)
    refused(library, folder, "published to main, which has moved since")


def test_an_entry_of_an_older_version(library: Workspace, folder: Path) -> None:
    """An operation that was written down without what was before is not guessed at."""
    log = folder / ".git/gitorch/operations.jsonl"
    entry = (
        '{"number":90,"kind":"merge","when":"2026-01-01T00:00:00Z","refs":[],"tasks":[]}\n{"closed":90,"done":true}\n'
    )
    log.write_text(log.read_text() + entry)
    refused(library, folder, "older version")


def test_notes_that_were_rewritten(library: Workspace, folder: Path) -> None:
    """Lines that are no longer there as they were written cannot be taken out."""
    approve(library, "one")
    git(
        "notes",
        "--ref=gitorch",
        "add",
        "-f",
        "-m",
        "mine",
        str(services.lookup.find_task(library, "one").tip),
        cwd=folder,
    )
    refused(library, folder, "was rewritten since")


def test_a_task_that_others_wait_for(library: Workspace, folder: Path) -> None:
    """A task is not taken from under another that was written into the task file by hand."""
    last = services.lookup.find_task(library, "queued")
    finish_by_hand(library, "one", state=State.FINISHED, after=(last.id,))
    refused(library, folder, "one waits for queued")


def test_a_number_that_was_given_away(library: Workspace, folder: Path) -> None:
    """A task comes back under its own number or not at all."""
    services.reviewing.review.reject(library, services.lookup.find_task(library, "top"), WHO)
    number = services.lookup.find_task(library, "top").number
    list(services.maintenance.cleanup(library, [services.lookup.find_task(library, "top")]))
    finish_by_hand(library, "queued", state=State.QUEUED, number=number)
    refused(library, folder, f"its number {number} belongs to queued")


def test_the_log_stays_small(library: Workspace, folder: Path) -> None:
    """An operation costs what it changes: a comment does not write the task's whole text again, nor the log's past."""
    (long,) = services.submit.submit(library, [long_task()])
    log = folder / ".git/gitorch/operations.jsonl"
    before = log.stat().st_size
    services.reviewing.comments.add_comment(library, long, Comment(text="short"))
    assert log.stat().st_size - before < 1000


def long_task() -> Task:
    (task,) = intake.resolve([intake.from_text("Long\n" + "x" * 100_000)], {}, 50)
    return task


def test_past_tells_what_can_be_taken_back(library: Workspace, folder: Path) -> None:
    """Each operation is judged as it would stand once those after it were taken back; below an obstacle none can."""
    approve(library, "one")
    merge(library)
    finish_by_hand(library, "queued")
    undone, past = services.undo.undo_entries(library)
    assert undone == []
    told = [(one.operation.kind, one.why_not.what.partition(": ")[2] if one.why_not else "") for one in past]
    assert told == [
        ("merge", ""),
        ("approve", ""),
        ("submit", "queued has changed since"),
        ("adopt", "'submit queued' comes first"),
        ("adopt", "'adopt top' comes first"),
    ]
    services.undo.undo(library)
    services.undo.undo(library)
    undone, past = services.undo.undo_entries(library, 1)
    assert [one.operation.requested_kind for one in undone] == ["approve"]
    assert [one.operation.kind for one in past] == ["submit"]


def test_an_undo_of_a_cleanup_brings_back_worktree_and_logs(library: Workspace, folder: Path) -> None:
    """So do branches and tasks. What is no longer in the trash is said, with the rescue point of its files."""
    task = services.lookup.find_task(library, "one")
    path = folder.parent / "repo.orch" / "one"
    git("worktree", "add", "--quiet", "--detach", str(path), "work/one", cwd=folder)
    (path / "left.txt").write_text("left\n")
    finish_by_hand(library, "one", state=State.FINISHED, worktree=str(path))
    said = folder / ".git/gitorch/attempts/one/1/agent-1/stdout"
    said.parent.mkdir(parents=True)
    said.write_text("what the agent said\n")
    services.reviewing.review.reject(library, services.lookup.find_task(library, "one"), WHO)
    list(services.maintenance.cleanup(library, [services.lookup.find_task(library, "one")]))
    assert not said.exists()
    assert not path.exists()
    assert services.undo.undo(library).missing == ()
    assert said.read_text() == "what the agent said\n"
    assert (path / "left.txt").read_text() == "left\n"
    assert git("status", "--porcelain", cwd=path) == "?? left.txt"
    assert git("show", "refs/gitorch/rescue/one:left.txt", cwd=folder) == "left"
    assert services.lookup.find_task(library, "one").tip == task.tip
    services.undo.redo(library)
    assert not said.exists()
    shutil.rmtree(path.parent / TRASH)
    assert services.undo.undo(library).missing == (
        "the worktree of one no longer exists; its uncommitted files are in refs/gitorch/rescue/one",
    )
    services.reviewing.review.reject(library, services.lookup.find_task(library, "two"), WHO)
    list(services.maintenance.cleanup(library, [services.lookup.find_task(library, "two")]))
    services.undo.undo(library)
    services.undo.undo(library)


def test_logs_that_are_no_longer_in_the_trash_are_said_to_be_gone(library: Workspace, folder: Path) -> None:
    """What agents printed is kept for `trash.keep`: an undo after that says that it is gone."""
    for name in ("one", "top"):
        printed = folder / ".git/gitorch/attempts" / name / "1"
        printed.mkdir(parents=True)
        services.reviewing.review.reject(library, services.lookup.find_task(library, name), WHO)
        list(services.maintenance.cleanup(library, [services.lookup.find_task(library, name)]))
    assert services.undo.undo(library).missing == ()
    services.undo.undo(library)
    shutil.rmtree(folder / ".git/gitorch/trash")
    assert services.undo.undo(library).missing == ("the log of one no longer exists",)
    assert services.lookup.find_task(library, "one").state is State.REJECTED


def test_two_who_undo_at_once_take_turns(library: Workspace, folder: Path) -> None:
    """Each of several processes takes one operation back, and none the same."""
    from tests.support.cli import Cli

    before = whole(folder)
    for name in ("one", "two", "top"):
        services.reviewing.comments.add_comment(library, services.lookup.find_task(library, name), Comment(text=name))
    cli = Cli(folder)
    with (
        cli.start("undo", "--json") as first,
        cli.start("undo", "--json") as second,
        cli.start("undo", "--json") as third,
    ):
        answers = [one.end() for one in (first, second, third)]
    assert all(answer.code == 0 for answer in answers), answers
    assert sorted(answer.json["operation"]["tasks"] for answer in answers) == [["one"], ["top"], ["two"]]
    assert whole(folder) == before


# any sequence


ACTS: dict[str, Callable[[Workspace, random.Random], object]] = {
    "submit": lambda library, chance: submit(library, f"task {chance.randrange(10_000)}"),
    "comment": lambda library, chance: services.reviewing.comments.add_comment(
        library, some(library, chance), Comment(text=str(chance.random()))
    ),
    "approve": lambda library, chance: approve(library, some(library, chance, State.FINISHED).id),
    "revise": lambda library, chance: services.reviewing.review.revise(
        library, some(library, chance, State.FINISHED, State.APPROVED), WHO, [Comment(text="again")]
    ),
    "reject": lambda library, chance: services.reviewing.review.reject(
        library, some(library, chance, State.FINISHED, State.CONFLICTED), WHO
    ),
    "retry": lambda library, chance: services.submit.retry(
        library, [some(library, chance, State.REJECTED, State.CANCELLED)]
    ),
    "kill": lambda library, chance: services.stop.kill(library, [some(library, chance, State.QUEUED)], "killed"),
    "merge": lambda library, chance: merge(library, some(library, chance, State.APPROVED).id),
    "cleanup": lambda library, chance: list(
        services.maintenance.cleanup(library, services.maintenance.removable(library)[:1])
    ),
    "adopt": lambda library, chance: adopt(library, f"spare/{chance.randrange(6)}"),
}


def some(library: Workspace, chance: random.Random, *states: State) -> Task:
    """Return any task in one of these states; raise `Refused` where there is none."""
    found = [task for task in library.tasks.values() if not states or task.state in states]
    if not found:
        raise Refused("nothing", "there is nothing to do this to")
    return chance.choice(found)


@pytest.mark.parametrize("seed", range(scaled(3)))
def test_any_operations_are_undone_one_by_one(repository_folder: Path, seed: int) -> None:
    """After a random day, each undo leaves exactly the state before the operation, back to the start; redo likewise."""
    chance = random.Random(seed)
    library = finished(repository_folder, *(f"t{number}" for number in range(5)))
    for number in range(6):
        branch(repository_folder, f"spare/{number}", f"t{number}.txt" if number % 2 else f"s{number}.txt")
    states = [whole(repository_folder)]
    done: list[Operation] = []
    while len(done) < 12:
        try:
            ACTS[chance.choice(list(ACTS))](library, chance)
        except Refused:
            continue
        last = next(library.operations.completed())
        if not done or last != done[-1]:
            done.append(last)
            states.append(whole(repository_folder))
    for at in reversed(range(len(done))):
        assert services.undo.undo(library).target == done[at], at
        assert whole(repository_folder) == states[at], done[at]
    for at, operation in enumerate(done, start=1):
        services.undo.redo(library)
        assert whole(repository_folder) == states[at], operation


def test_a_task_that_was_sent_back_meanwhile_is_not_published(library: Workspace, folder: Path) -> None:
    """What is published is what is approved at that moment: a plan of before is refused, and nothing moves."""
    approve(library, "one", "two")
    with MemoryReplayer(library.repository) as replayer:
        plan = services.merging.merge.plan_merge(library, replayer, None)
        other = open_workspace(folder)
        services.reviewing.review.revise(other, services.lookup.find_task(other, "two"), WHO, [Comment(text="again")])
        before = whole(folder)
        with pytest.raises(TaskMoved, match="two was changed by another command; it is queued"):
            services.merging.merge.publish(library, replayer, plan)
    assert whole(folder) == before


def test_a_comment_meanwhile_stops_no_merge(library: Workspace, folder: Path) -> None:
    """Hours of checks are not lost to a comment on a task that is being merged."""
    approve(library, "one", "two")
    with MemoryReplayer(library.repository) as replayer:
        plan = services.merging.merge.plan_merge(library, replayer, None)
        other = open_workspace(folder)
        services.reviewing.comments.add_comment(other, services.lookup.find_task(other, "two"), Comment(text="fine"))
        services.merging.merge.publish(library, replayer, plan)
    task = services.lookup.find_task(open_workspace(folder), "two")
    assert (task.state, [comment.text for comment in task.comments]) == (State.MERGED, ["fine"])
