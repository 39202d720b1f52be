"""Rebase finished tasks onto what they build on, when that has changed: in memory, and as one operation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec

from gitorch.errors import GitorchError, Refused
from gitorch.flow.scheduling import base_choice as task_base
from gitorch.git.notes import note_store
from gitorch.git.worktrees import checkouts
from gitorch.model import graph, note
from gitorch.model.naming import Oid, TaskId, branch_ref, trash_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import Commits, Restack, State, Task, change, change_attempt, commit_range
from gitorch.model.visible import readable, readable_list
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed, Replayer
from gitorch.services import people_only
from gitorch.services.branches.branch_tips import branch_states, is_shown, mark_shown
from gitorch.services.branches.stale import is_based_on, is_up_to_date
from gitorch.services.changes import change_with_notes
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe

_MOVABLE = frozenset({State.FINISHED, State.APPROVED})


class Restacked(msgspec.Struct, frozen=True):
    """The tasks that were rebased, and those that stay as they are, each with its reason."""

    rebased: tuple[Task, ...] = ()
    not_rebased: tuple[Task, ...] = ()

    @property
    def tasks(self) -> list[Task]:
        """All tasks that have changed."""
        return [*self.rebased, *self.not_rebased]


def restack(workspace: Workspace, names: Iterable[TaskId]) -> Restacked:
    """Rebase the finished tasks among these, and those that build on them, where a dependency has moved on.

    A branch moves if its commits apply, and its earlier tip is kept. What conflicts, or was changed by hand and not
    looked at, stays on its old base, stale and with the reason. `undo` takes all of it back.
    """
    if not workspace.config.merge.restack:
        return Restacked()
    outdated = _outdated(workspace, names)
    if not outdated:
        return Restacked()
    with MemoryReplayer(workspace.repository) as replayer:
        steps = _steps(workspace, replayer, outdated)
    replayed_steps = [step for step in steps if step.replayed is not None]
    pairs = [(step.before, step.task) for step in steps if step.before != step.task]
    if not pairs:
        return Restacked()
    moves = [move for step in replayed_steps for move in _moves(step)]
    summary = describe("restack", [step.task for step in replayed_steps or steps])
    changed = change_with_notes(workspace, "restack", pairs, _lines(workspace, replayed_steps), summary, moves)
    workspace.store.snapshot_if_due()
    names = {step.task.id for step in replayed_steps}
    return Restacked(
        tuple(task for task in changed if task.id in names), tuple(task for task in changed if task.id not in names)
    )


def follow(workspace: Workspace, names: Iterable[TaskId], *, in_run: bool = False) -> Restacked:
    """Restack after a command has changed these tasks, and tell the user; it never fails the command.

    A run shows by itself what changes, and checks it.
    """
    try:
        restacked = restack(workspace, names)
    except GitorchError as error:
        workspace.store.notices.append(f"what builds on it was not rebased: {error.what}")
        return Restacked()
    for task in () if in_run else restacked.rebased:
        checks = "its checks run in the next run" if not task.results else "its checks still count"
        workspace.store.news.append(f"{task.id} was {_words(task)}; {checks} (orchestrate check {task.id})")
    left_behind = [task for task in restacked.not_rebased if task.is_left_behind]
    workspace.store.notices.extend(f"{task.id} is stale: {_words(task)}" for task in left_behind)
    return restacked


def show(workspace: Workspace, task: Task) -> None:
    """Record that a reviewer was shown a task up to its tip; what builds on commits that were added by hand follows."""
    mark_shown(workspace, task)
    recorded = workspace.tasks.get(task.id)
    is_moved = recorded is not None and recorded.tip != task.tip
    if is_moved and not people_only.is_program() and not people_only.inside_agent():
        follow(workspace, [task.id])


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """A task before and after; `replayed` has its new commits, and is None if its branch stays.

    `branch` is the task with the commits that its branch had, which a person may have moved.
    """

    before: Task
    task: Task
    branch: Task | None = None
    replayed: Replayed | None = None


def _outdated(workspace: Workspace, names: Iterable[TaskId]) -> list[Task]:
    """Return the tasks that a restack may concern, in merge order: these, and all that build on them."""
    tasks = workspace.tasks
    selected_names = {name for start in names for name in (start, *graph.dependants(start, tasks)) if name in tasks}
    selected = [tasks[name] for name in selected_names]
    movable = [
        task for task in selected if task.state in _MOVABLE and task.tip and task.spec.after and not task.adopted
    ]
    return graph.merge_order(movable)


def _steps(workspace: Workspace, replayer: Replayer, outdated: Sequence[Task]) -> list[_Step]:
    tasks = {**workspace.tasks, **_shown_dependencies(workspace, outdated)}
    states = branch_states(workspace, outdated)
    steps = []
    for before in outdated:
        state = states[before.id]
        dependencies = [tasks[name] for name in before.spec.after if name in tasks]
        if not all(map(_is_settled, dependencies)):  # it follows once they are
            step = _Step(
                before=before,
                task=change(before, stale=before.stale or any(task.is_left_behind for task in dependencies)),
            )
        elif is_up_to_date(workspace, state.task, tasks):
            restacked = before.restack if before.restack and not before.restack.problem else None
            step = _Step(before=before, task=change(before, stale=False, restack=restacked))
        elif not is_shown(workspace, state):
            step = _not_rebased(before, "it was changed by hand, and nobody has looked at that")
        else:
            step = _replayed(workspace, replayer, before, state.task, tasks)
        tasks[before.id] = step.task
        if step.replayed is None and is_shown(workspace, state):  # what builds on it follows its branch
            tasks[before.id] = change(state.task, stale=step.task.stale, restack=step.task.restack)
        steps.append(step)
    return steps


def _shown_dependencies(workspace: Workspace, outdated: Sequence[Task]) -> dict[TaskId, Task]:
    """Return what these build on, with the commits that were added by hand and that a reviewer has seen."""
    tasks = workspace.tasks
    dependencies = {name: tasks[name] for task in outdated for name in task.spec.after if name in tasks}
    states = branch_states(workspace, dependencies.values())
    return {name: state.task for name, state in states.items() if is_shown(workspace, state)}


def _is_settled(dependency: Task) -> bool:
    states = (State.FINISHED, State.APPROVED, State.CONFLICTED, State.MERGED)
    return (dependency.state in states or dependency.before_questions is not None) and not dependency.stale


def _replayed(workspace: Workspace, replayer: Replayer, before: Task, task: Task, tasks: dict[TaskId, Task]) -> _Step:
    """Return a task on the current tips of its dependencies, or as it is if that does not apply."""
    start = task_base.choose_base(workspace.repository, workspace.config, task, tasks)
    if isinstance(start, task_base.BaseConflict):
        return _not_rebased(before, f"{' and '.join(start.tasks)} conflict in {readable_list(start.paths)}")
    base, tip = commit_range(task)
    commits = CommitRange(base, tip)
    if replayer.merge_commits(commits, start.commit):
        return _not_rebased(before, "it has merge commits, which a rebase would drop")
    replayed = replayer.replay(commits, start.commit)
    changed = [name for name in task.spec.after if name in tasks and not is_based_on(workspace, task, tasks[name])]
    if isinstance(replayed, Conflicted):
        return _not_rebased(before, f"it conflicts with {', '.join(changed)} in {readable_list(replayed.paths)}")
    replayer.keep(replayed.tip)  # what builds on it is based on it next
    try:
        checkouts.require_ready(workspace.repository, branch_ref(task.branch), tip, replayed.tip)
    except Refused as refused:
        return _not_rebased(before, refused.what)
    tree = replayer.tree(replayed.tip)
    rebased_task = change(
        task,
        commits=Commits(start.commit, replayed.tip),
        stale=False,
        results=tuple(result for result in task.results if result.tree == tree),
        # what checks said of it, or a merge, was about other commits
        reason="" if task.passed is False or task.state is State.APPROVED else task.reason,
        restack=Restack(dependencies=tuple(changed)),
    )
    if task.attempt is not None and task.attempt.tip is not None:
        new = dict(replayed.pairs)
        rebased_task = change_attempt(rebased_task, tip=new.get(task.attempt.tip, replayed.tip))
    return _Step(before=before, task=rebased_task, branch=task, replayed=replayed)


def _not_rebased(task: Task, problem: str) -> _Step:
    return _Step(before=task, task=change(task, stale=True, restack=Restack(problem=readable(problem))))


def _words(task: Task) -> str:
    return task.restack.words if task.restack else ""


def _moves(step: _Step) -> list[RefUpdate]:
    """Return the move of a branch, and a ref that keeps its commits from before."""
    assert step.replayed is not None
    assert step.branch is not None
    tip = commit_range(step.branch)[1]
    trash = trash_ref(step.task.id, f"restack-{time.time_ns()}")
    return [RefUpdate(branch_ref(step.task.branch), step.replayed.tip, tip), RefUpdate(trash, tip, None)]


def _lines(workspace: Workspace, steps: Sequence[_Step]) -> dict[Oid, list[note.Line]]:
    """Return the notes of the old commits for the new ones."""
    pairs = [pair for step in steps if step.replayed for pair in step.replayed.pairs if pair[0] != pair[1]]
    lines_by_commit = note_store.read_many(workspace.repository, [old for old, _ in pairs])
    return {new: lines_by_commit[old] for old, new in pairs if lines_by_commit.get(old)}
