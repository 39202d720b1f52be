"""Run the checks of tasks again, on the tips that their branches have now."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from gitorch import services
from gitorch.errors import Refused
from gitorch.git.worktrees import worktree_status
from gitorch.model import note
from gitorch.model.branch_state import BranchState
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task, by_id, change, commit_range
from gitorch.rooms.trees import TreeChecker
from gitorch.services import people_only
from gitorch.services.agents import run_context
from gitorch.services.branches.branch_tips import branch_states
from gitorch.services.branches.stale import with_stale_dependents
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.changes import change_with_notes
from gitorch.services.configured_checks import checks_for
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe
from gitorch.storage.tasks import Pair

_CHECKABLE = frozenset({State.FINISHED, State.CONFLICTED, State.APPROVED})


class CheckStep(msgspec.Struct, frozen=True):
    """The task whose tip is being checked: number `step` of `of`."""

    task: TaskId
    step: int
    of: int


class CheckedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task after its checks, with its branch as it was checked.

    `uncommitted` tells that its worktree has files that are not committed, which no check has seen.
    """

    task: Task
    branch: BranchState
    results: tuple[CheckResult, ...]
    uncommitted: bool = False

    @property
    def tip(self) -> Oid:
        return _tip(self.branch)

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


def unchecked_tasks(workspace: Workspace) -> list[Task]:
    """Return the finished tasks for which checks are configured that have not run on the tip of their branch."""
    finished = [task for task in workspace.tasks.values() if task.state is State.FINISHED]
    states = branch_states(workspace, finished)
    return [task for task in finished if services.reviewing.review.is_unchecked(workspace, states[task.id])]


def branches_to_check(workspace: Workspace, tasks: Sequence[Task]) -> list[BranchState]:
    """Return the branches of tasks as they are; raise `Refused` if one cannot be checked."""
    people_only.require_person("check tasks")
    states = [_state(workspace, task) for task in by_id(tasks).values()]
    for state in states:
        if not _tip_checks(workspace, state):
            raise Refused("no-checks", "no checks are configured", fix=("orchestrate init", "orchestrate config show"))
    return states


def run_checks(
    workspace: Workspace, states: Sequence[BranchState]
) -> Generator[CheckStep, None, list[tuple[CheckResult, ...]]]:
    """Run the checks on the tips of these branches; results of earlier commands do not count."""
    results = []
    with watched_commands(workspace) as watch, ExitStack() as stack:
        checkers: dict[str, TreeChecker] = {}
        for step, state in enumerate(states, start=1):
            yield CheckStep(state.task.id, step, len(states))
            checks = _tip_checks(workspace, state)
            key = repr(sorted(checks.items()))
            if key not in checkers:
                checkers[key] = stack.enter_context(
                    TreeChecker(run_context(workspace, watch.start), checks, recheck=True)
                )
            results.append(checkers[key].check(_tip(state)))
    return results


def record_results(
    workspace: Workspace, states: Sequence[BranchState], results: Sequence[tuple[CheckResult, ...]]
) -> list[CheckedTask]:
    """Save the results with the tasks, and in the notes of the commits that were checked.

    An approved task whose branch has moved on is for review again: the approval does not cover what was checked.
    """
    current = workspace.tasks
    pairs: list[Pair] = []
    lines: dict[Oid, list[note.Line]] = {}
    for state, checked in zip(states, results, strict=True):
        judged = with_results(state.task, checked)
        is_outdated = judged.state is State.APPROVED and state.unseen is not None
        pairs.append((current[judged.id], change(judged, state=State.FINISHED) if is_outdated else judged))
        lines.setdefault(_tip(state), []).extend(note.check_line(result) for result in checked)
    summary = describe("check", [state.task for state in states])
    marked = with_stale_dependents(workspace, pairs)
    tasks = change_with_notes(workspace, "check", marked, lines, summary)[: len(pairs)]
    workspace.store.snapshot_if_due()
    services.restack.follow(workspace, [task.id for task in tasks])
    return [
        CheckedTask(task=task, branch=state, results=checked, uncommitted=_is_dirty(workspace, task))
        for task, state, checked in zip(tasks, states, results, strict=True)
    ]


def _state(workspace: Workspace, task: Task) -> BranchState:
    if task.state not in _CHECKABLE or task.tip is None:
        raise Refused(
            "not-checkable",
            f"{task.id} is {task.state}: it has no work to check" if task.tip is None else f"{task.id} is {task.state}",
            why="only finished, approved and conflicted tasks are checked",
            fix=(f"orchestrate task {task.id}",),
        )
    return branch_states(workspace, [task])[task.id]


def _tip(state: BranchState) -> Oid:
    return commit_range(state.task)[1]


def _tip_checks(workspace: Workspace, state: BranchState) -> dict[str, str]:
    return checks_for(workspace, state.task)


def with_results(task: Task, results: tuple[CheckResult, ...]) -> Task:
    """Return a task with the results of its checks, and the reason that they give it."""
    failed = ", ".join(result.name for result in results if not result.passed)
    reason = f"checks failed: {failed}" if failed else "" if task.state is not State.CONFLICTED else task.reason
    restack = task.restack if task.is_left_behind else None
    return change(task, results=results, reason=reason, restack=restack)


def _is_dirty(workspace: Workspace, task: Task) -> bool:
    return bool(task.worktree) and worktree_status.is_dirty(workspace.repository, Path(task.worktree))
