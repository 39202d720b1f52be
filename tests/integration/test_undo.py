"""Undo is exact: refs, notes and tasks are as they were, byte for byte, or nothing moves and the reason is said."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.errors import Refused
from gitorch.flow import intake
from gitorch.git import notes
from gitorch.git.repository import RefMove
from gitorch.model.naming import Oid, Ref
from gitorch.model.task import Comment, State, Task
from gitorch.replay import Replayer
from gitorch.services import Orchestrator
from gitorch.storage.operations import Operation, Restated
from gitorch.storage.tasks import TaskMoved
from tests.support.days import WHO, adopt, approve, branch, finish_by_hand, finished, merge, submit, whole
from tests.support.git import git
from tests.support.scale import scaled

Step = Callable[[Orchestrator], object]


@pytest.fixture
def library(repository_folder: Path) -> Orchestrator:
    """Two finished tasks, a third that waits for the second, and a queued one."""
    folder = repository_folder
    library = finished(folder, "one", "two")
    branch(folder, "work/top", "top.txt", base="work/two")
    adopt(library, "work/top")
    submit(library, "queued")
    return library


@pytest.fixture
def folder(library: Orchestrator) -> Path:
    assert library.repository.work_tree is not None
    return library.repository.work_tree


def one_merged(library: Orchestrator) -> None:
    """Merge one task, and approve another."""
    approve(library, "one")
    merge(library)
    approve(library, "two")


def clashing(library: Orchestrator) -> None:
    """Merge one task, and approve one that changes the same file."""
    one_merged(library)
    branch(here(library), "work/clash", "one.txt")
    adopt(library, "work/clash")
    approve(library, "clash")


def over(library: Orchestrator) -> None:
    """Bring one task to its end, and reject another."""
    one_merged(library)
    library.reject(library.find("top"), WHO, "not this")


STEPS: dict[str, tuple[Step, Step]] = {
    "submit": (lambda _: None, lambda library: submit(library, "first", "second", after=("one",))),
    "adopt": (lambda library: branch(here(library), "work/more", "m.txt"), lambda library: adopt(library, "work/more")),
    "adopt remote": (
        lambda library: git("update-ref", "refs/remotes/up/far", branch(here(library), "x", "x"), cwd=here(library)),
        lambda library: adopt(library, "up/far"),
    ),
    "comment": (
        lambda _: None,
        lambda library: library.comment(library.find("one"), Comment(text="odd\r\n`;` 🚀\0", who=WHO)),
    ),
    "approve": (lambda _: None, lambda library: approve(library, "one", "two")),
    "revise": (lambda _: None, lambda library: library.revise(library.find("two"), WHO, [Comment(text="again")])),
    "reject": (lambda _: None, lambda library: library.reject(library.find("two"), WHO, "no")),
    "retry": (lambda _: None, lambda library: library.retry([library.find("two"), library.find("one")])),
    "kill": (lambda _: None, lambda library: library.kill([library.find("queued")], "killed")),
    "first merge": (lambda library: approve(library, "one", "two"), merge),
    "second merge": (one_merged, merge),
    "conflict": (clashing, lambda library: merge(library, "clash")),
    "cleanup": (over, lambda library: list(library.cleanup(library.removable()))),
}


def here(library: Orchestrator) -> Path:
    assert library.repository.work_tree is not None
    return library.repository.work_tree


@pytest.mark.parametrize("name", STEPS)
def test_undo_puts_everything_back_and_redo_brings_it_again(library: Orchestrator, folder: Path, name: str) -> None:
    """Of every changing command: done, taken back, brought back and taken back again, by a new process each time."""
    prepare, act = STEPS[name]
    prepare(library)
    before = whole(folder)
    act(Orchestrator.open(folder))
    after = whole(folder)
    assert after != before, "the command changes something"
    for _ in range(2):
        Orchestrator.open(folder).undo()
        assert whole(folder) == before
        Orchestrator.open(folder).redo()
        assert whole(folder) == after
    git("fsck", "--full", "--strict", "--no-dangling", cwd=folder)


def test_what_undo_leaves_behind_stays_reachable(library: Orchestrator, folder: Path) -> None:
    """The commits of a merge that was taken back, and of a branch that an adoption made, survive a gc."""
    approve(library, "one")
    merge(library)
    tip = library.integration()
    library.undo()
    git("update-ref", "refs/remotes/up/far", branch(folder, "far", "far.txt"), cwd=folder)
    git("branch", "-D", "far", cwd=folder)
    (far,) = adopt(library, "up/far")
    library.undo()
    git("update-ref", "-d", "refs/remotes/up/far", cwd=folder)
    git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all", cwd=folder)
    git("gc", "--quiet", "--prune=now", cwd=folder)
    assert git("cat-file", "-t", str(tip), cwd=folder) == git("cat-file", "-t", str(far.tip), cwd=folder) == "commit"


def test_what_others_noted_since_stays(library: Orchestrator, folder: Path) -> None:
    """A run goes on writing notes: undo takes out the lines of its operation alone, and redo puts them back."""
    tip = library.find("one").tip
    assert tip is not None
    library.approve([library.find("one"), library.find("two")], WHO, force=True)
    told = notes.read_all(library.repository)
    notes.append(library.repository, {tip: [{"kind": "attempt", "task": "other"}]}, "by a run")
    library.undo()
    mine = notes.read_all(library.repository)
    assert [line["kind"] for line in mine[tip]] == ["adopted", "attempt"]
    assert not [line for lines in mine.values() for line in lines if line["kind"] == "verdict"]
    notes.append(library.repository, {tip: [{"kind": "attempt", "task": "another"}]}, "by a run")
    library.redo()
    again = notes.read_all(library.repository)
    assert [line["kind"] for line in again[tip]] == ["adopted", "verdict", "attempt", "attempt"]
    assert {key: lines for key, lines in again.items() if key != tip} == {k: v for k, v in told.items() if k != tip}


def test_a_note_that_only_the_operation_wrote_goes_away(library: Orchestrator, folder: Path) -> None:
    """Where others noted elsewhere since, the new commits of a merge that is taken back have no note any more."""
    one_merged(library)
    merge(library)
    new = library.integration()
    tip = library.find("one").tip
    assert new is not None
    assert tip is not None
    notes.append(library.repository, {tip: [{"kind": "attempt", "task": "other"}]}, "by a run")
    library.undo()
    told = notes.read_all(library.repository)
    assert new not in told
    assert told[tip][-1] == {"kind": "attempt", "task": "other"}
    assert library.find("two").state is State.APPROVED


# refused, with the reason


def refused(library: Orchestrator, folder: Path, *words: str, redo: bool = False) -> Refused:
    """Assert that undo refuses with these words, and that nothing has moved."""
    before = whole(folder)
    log = (folder / ".git/gitorch/operations.jsonl").read_bytes()
    with pytest.raises(Refused) as refusal:
        library.redo() if redo else library.undo()
    said = f"{refusal.value.what} {refusal.value.why} {refusal.value.fix}"
    assert all(word in said for word in words), said
    assert whole(folder) == before
    assert (folder / ".git/gitorch/operations.jsonl").read_bytes() == log
    return refusal.value


def test_nothing_to_take_back(repository_folder: Path) -> None:
    """Before the first operation, and after the last undo, there is nothing to take back; nor anything to redo."""
    library = Orchestrator.open(repository_folder)
    for act in (library.undo, library.redo):
        with pytest.raises(Refused, match="there is nothing to"):
            act()


def test_a_task_that_a_run_has_worked_on_since(library: Orchestrator, folder: Path) -> None:
    """What agents did is theirs: the submission of a task that is being worked on is not taken back."""
    finish_by_hand(library, "queued")
    error = refused(library, folder, "queued has changed since", "it is running now", "orchestrate kill queued")
    assert error.exit == 5


def test_a_run_may_change_other_tasks_meanwhile(library: Orchestrator, folder: Path) -> None:
    """What happens to other tasks is no obstacle, and stays as it is."""
    approve(library, "one")
    running = finish_by_hand(library, "queued")
    library.undo()
    assert library.find("one").state is State.FINISHED
    assert library.find("queued") == running


def test_an_integration_branch_that_has_moved_on(library: Orchestrator, folder: Path) -> None:
    """Somebody's commit on top of a merge keeps it from being taken back; taken away again, it does not."""
    approve(library, "one")
    merge(library)
    tip = str(library.integration())
    on_top = git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "by hand", cwd=folder)
    git("update-ref", "refs/heads/orch/integration", on_top, cwd=folder)
    refused(library, folder, "orch/integration has moved since", tip[:12], on_top[:12])
    git("update-ref", "refs/heads/orch/integration", tip, cwd=folder)
    library.undo()
    assert library.integration() is None


def test_an_integration_branch_that_is_checked_out(library: Orchestrator, folder: Path) -> None:
    """Moving a branch under somebody's feet would make their files look changed."""
    approve(library, "one")
    merge(library)
    git("worktree", "add", "--quiet", str(folder.parent / "tryout"), "orch/integration", cwd=folder)
    refused(library, folder, "is checked out in", "tryout", "switch --detach")


def published(library: Orchestrator) -> tuple[str, Oid]:
    """Merge, and publish to `main` in the same operation, as `merge --into` does; return what main was, and is."""
    approve(library, "one")
    folder = here(library)
    git("checkout", "--quiet", "--detach", cwd=folder)
    main = git("rev-parse", "main", cwd=folder)
    task = library.find("one")
    assert task.tip is not None
    moves = [RefMove(Ref("refs/heads/main"), task.tip, Oid(main))]
    with library._turn():
        library._move_all("merge", moves, [Restated(task.id, task.state, State.MERGED, task.tip)], "merge into main")
    return main, task.tip


def test_what_was_published_to_a_branch_of_the_users(library: Orchestrator, folder: Path) -> None:
    """Only its owner takes commits away from a branch; when they have, the rest is taken back, and not brought back."""
    main, _ = published(library)
    error = refused(library, folder, "it was published to main", f"git branch --force main {main}")
    git(*error.fix[0].split()[1:], cwd=folder)
    library.undo()
    assert library.find("one").state is State.APPROVED
    assert git("rev-parse", "main", cwd=folder) == main
    refused(library, folder, "it published to main", redo=True)


def test_a_published_branch_that_has_moved_on(library: Orchestrator, folder: Path) -> None:
    """Where others built on what was published, it cannot be taken back."""
    _, tip = published(library)
    on_top = git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "by hand", cwd=folder)
    git("update-ref", "refs/heads/main", on_top, cwd=folder)
    refused(library, folder, "published to main, which has moved since")


def test_an_entry_of_an_older_version(library: Orchestrator, folder: Path) -> None:
    """An operation that was written down without what was before is not guessed at."""
    log = folder / ".git/gitorch/operations.jsonl"
    entry = (
        '{"number":90,"kind":"merge","when":"2026-01-01T00:00:00Z","refs":[],"tasks":[]}\n{"closed":90,"done":true}\n'
    )
    log.write_text(log.read_text() + entry)
    refused(library, folder, "older version")


def test_notes_that_were_rewritten(library: Orchestrator, folder: Path) -> None:
    """Lines that are no longer there as they were written cannot be taken out."""
    approve(library, "one")
    git("notes", "--ref=gitorch", "add", "-f", "-m", "mine", str(library.find("one").tip), cwd=folder)
    refused(library, folder, "was rewritten since")


def test_a_task_that_others_wait_for(library: Orchestrator, folder: Path) -> None:
    """A task is not taken from under another that was written into the task file by hand."""
    last = library.find("queued")
    finish_by_hand(library, "one", state=State.FINISHED, after=(last.id,))
    refused(library, folder, "one waits for queued")


def test_a_number_that_was_given_away(library: Orchestrator, folder: Path) -> None:
    """A task comes back under its own number or not at all."""
    library.reject(library.find("top"), WHO)
    number = library.find("top").number
    list(library.cleanup([library.find("top")]))
    finish_by_hand(library, "queued", state=State.QUEUED, number=number)
    refused(library, folder, f"its number {number} belongs to queued")


def test_the_log_stays_small(library: Orchestrator, folder: Path) -> None:
    """An operation costs what it changes: a comment does not write the task's whole text again, nor the log's past."""
    (long,) = library.submit([long_task()])
    log = folder / ".git/gitorch/operations.jsonl"
    before = log.stat().st_size
    library.comment(long, Comment(text="short"))
    assert log.stat().st_size - before < 1000


def long_task() -> Task:
    (task,) = intake.resolve([intake.from_text("Long\n" + "x" * 100_000)], {}, 50)
    return task


def test_past_tells_what_can_be_taken_back(library: Orchestrator, folder: Path) -> None:
    """Each operation is judged as it would stand once those after it were taken back; below an obstacle none can."""
    approve(library, "one")
    merge(library)
    finish_by_hand(library, "queued")
    undone, past = library.past()
    assert undone == []
    told = [(one.operation.kind, one.obstacle.what.partition(": ")[2] if one.obstacle else "") for one in past]
    assert told == [
        ("merge", ""),
        ("approve", ""),
        ("submit", "queued has changed since"),
        ("adopt", "'submit queued' comes first"),
        ("adopt", "'adopt top' comes first"),
    ]
    library.undo()
    library.undo()
    undone, past = library.past(1)
    assert [one.operation.asked for one in undone] == ["approve"]
    assert [one.operation.kind for one in past] == ["submit"]


def test_what_an_undo_of_a_cleanup_cannot_bring_back_is_said(library: Orchestrator, folder: Path) -> None:
    """Branches and tasks come back, and what the agents printed; a worktree does not, and its files are in a rescue."""
    task = library.find("one")
    path = folder.parent / "repo.orch" / "one"
    git("worktree", "add", "--quiet", "--detach", str(path), "work/one", cwd=folder)
    (path / "left.txt").write_text("left\n")
    finish_by_hand(library, "one", state=State.FINISHED, worktree=str(path))
    said = folder / ".git/gitorch/attempts/one/1/agent-1/stdout"
    said.parent.mkdir(parents=True)
    said.write_text("what the agent said\n")
    library.reject(library.find("one"), WHO)
    list(library.cleanup([library.find("one")]))
    assert not said.exists()
    taken = library.undo()
    assert taken.missing == ("the worktree of one is gone; its uncommitted files are in refs/gitorch/rescue/one",)
    assert said.read_text() == "what the agent said\n"
    assert git("show", "refs/gitorch/rescue/one:left.txt", cwd=folder) == "left"
    assert library.find("one").tip == task.tip
    library.redo()
    assert not said.exists()
    library.undo()
    library.reject(library.find("two"), WHO)
    list(library.cleanup([library.find("two")]))
    library.undo()
    library.undo()


def test_logs_that_a_later_cleanup_removed_are_said_to_be_gone(library: Orchestrator, folder: Path) -> None:
    """What agents printed is kept one clean-up long: an undo of an earlier one says that it is gone."""
    for name in ("one", "top"):
        printed = folder / ".git/gitorch/attempts" / name / "1"
        printed.mkdir(parents=True)
        library.reject(library.find(name), WHO)
        list(library.cleanup([library.find(name)]))
    assert library.undo().missing == ()
    library.undo()
    assert library.undo().missing == ("what one printed is no longer there",)
    assert library.find("one").state is State.REJECTED


def test_two_who_undo_at_once_take_turns(library: Orchestrator, folder: Path) -> None:
    """Each of several processes takes one operation back, and none the same."""
    from tests.support.cli import Cli

    before = whole(folder)
    for name in ("one", "two", "top"):
        library.comment(library.find(name), Comment(text=name))
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


ACTS: dict[str, Callable[[Orchestrator, random.Random], object]] = {
    "submit": lambda library, chance: submit(library, f"task {chance.randrange(10_000)}"),
    "comment": lambda library, chance: library.comment(some(library, chance), Comment(text=str(chance.random()))),
    "approve": lambda library, chance: approve(library, some(library, chance, State.FINISHED).id),
    "revise": lambda library, chance: library.revise(
        some(library, chance, State.FINISHED, State.APPROVED), WHO, [Comment(text="again")]
    ),
    "reject": lambda library, chance: library.reject(some(library, chance, State.FINISHED, State.CONFLICTED), WHO),
    "retry": lambda library, chance: library.retry([some(library, chance, State.REJECTED, State.CANCELLED)]),
    "kill": lambda library, chance: library.kill([some(library, chance, State.QUEUED)], "killed"),
    "merge": lambda library, chance: merge(library, some(library, chance, State.APPROVED).id),
    "cleanup": lambda library, chance: list(library.cleanup(library.removable()[:1])),
    "adopt": lambda library, chance: adopt(library, f"spare/{chance.randrange(6)}"),
}


def some(library: Orchestrator, chance: random.Random, *states: State) -> Task:
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
        last = next(library.operations.done())
        if not done or last != done[-1]:
            done.append(last)
            states.append(whole(repository_folder))
    for at in reversed(range(len(done))):
        assert library.undo().about == done[at], at
        assert whole(repository_folder) == states[at], done[at]
    for at, operation in enumerate(done, start=1):
        library.redo()
        assert whole(repository_folder) == states[at], operation


def test_a_task_that_was_sent_back_meanwhile_is_not_published(library: Orchestrator, folder: Path) -> None:
    """What is published is what is approved at that moment: a plan of before is refused, and nothing moves."""
    approve(library, "one", "two")
    with Replayer(library.repository) as replayer:
        plan = library.plan_merge(replayer, None)
        other = Orchestrator.open(folder)
        other.revise(other.find("two"), WHO, [Comment(text="again")])
        before = whole(folder)
        with pytest.raises(TaskMoved, match="two was changed by another command; it is queued"):
            library.publish(replayer, plan)
    assert whole(folder) == before
