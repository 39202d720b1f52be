"""Import existing branches as finished tasks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.flow import branch_adoption
from gitorch.flow.branch_adoption import BranchMatch, SkippedBranch
from gitorch.flow.scheduling import base_choice as task_base
from gitorch.git.worktrees import linked_worktrees, worktree_status
from gitorch.model import graph, note
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import CheckResult, State, Task, by_id, change, commit_range
from gitorch.rooms.trees import TreeChecker
from gitorch.services import people_only
from gitorch.services.agents import run_context
from gitorch.services.branches.branch_tips import branch_states
from gitorch.services.branches.own_branches import integration_tip
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.changes import change_with_notes
from gitorch.services.configured_checks import checks_for
from gitorch.services.submit import require_prefix, reserved_names
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe
from gitorch.storage.tasks import Pair

_STATUS_LIMIT = 16  # worktrees whose status is read; each takes one git call


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks that an adoption creates (`tasks`), and existing tasks that it only checks (`checked_tasks`).

    `commits` counts the own commits of each task, and `sources` names its branch as the user wrote it. `unsaved` lists
    worktrees of these branches with uncommitted files, which are not adopted.
    """

    tasks: tuple[Task, ...]
    checked_tasks: tuple[Task, ...] = ()
    skipped: tuple[SkippedBranch, ...] = ()
    commits: dict[TaskId, int] = {}
    sources: dict[TaskId, str] = {}
    unsaved: tuple[tuple[str, Path], ...] = ()


class CheckProgress(msgspec.Struct, frozen=True):
    """The task whose tree is being checked: number `step` of `of`."""

    task: TaskId
    step: int
    of: int


def plan_adoption(
    workspace: Workspace,
    patterns: Sequence[str],
    *,
    base: str = "",
    after: Sequence[TaskId] = (),
    check: bool = False,
) -> Adoption:
    """Return the tasks that these branches (names or globs, local or remote-tracking) would become.

    Raises `NotFound` for a pattern without a match, and `Refused` if a branch given by its exact name cannot be
    adopted. Branches that only matched a glob are skipped and listed.
    """
    require_prefix(workspace)
    repository, config, tasks = workspace.repository, workspace.config, workspace.tasks
    branches = branch_adoption.find_branches(repository, patterns)
    unchecked = _unchecked_tasks(workspace, branches) if check else []
    unchecked_refs = {branch_ref(task.branch) for task in unchecked}
    new = [branch for branch in branches if branch.ref not in unchecked_refs]
    start = task_base.start_commit(repository, config, base)
    limits = [start, *([tip] if (tip := integration_tip(workspace)) and tip != start else [])]
    analysis = branch_adoption.analyze(repository, config, new, tasks, limits)
    branch_adoption.refuse_exact(analysis.skipped)
    adopted = branch_adoption.make_tasks(repository, config, analysis.ranges, tasks, reserved_names(workspace), after)
    graph.refuse_broken(by_id(adopted), tasks)
    ranges = {commits.branch.tip: commits for commits in analysis.ranges}
    return Adoption(
        tasks=tuple(adopted),
        checked_tasks=tuple(unchecked),
        skipped=analysis.skipped,
        commits={task.id: len(ranges[task.tip].commits) for task in adopted if task.tip},
        sources={task.id: ranges[task.tip].branch.name for task in adopted if task.tip},
        unsaved=tuple(_with_uncommitted(workspace, [commits.branch for commits in analysis.ranges])),
    )


def check_adoption(workspace: Workspace, planned: Adoption) -> Generator[CheckProgress, None, Adoption]:
    """Run the checks on the tips of an adoption's tasks; return it with their results.

    Raises `Refused` if no checks are configured.
    """
    tasks_to_check = [*planned.tasks, *planned.checked_tasks]
    checks = {task.id: checks_for(workspace, task) for task in tasks_to_check}
    if tasks_to_check and not any(checks.values()):
        raise Refused("no-checks", "no checks are configured", fix=("orchestrate init", "orchestrate config show"))
    results: dict[TaskId, tuple[CheckResult, ...]] = {}
    with watched_commands(workspace) as watch, ExitStack() as stack:
        checkers: dict[str, TreeChecker] = {}
        for step, task in enumerate(tasks_to_check, start=1):
            yield CheckProgress(task.id, step, len(tasks_to_check))
            key = repr(sorted(checks[task.id].items()))
            if key not in checkers:
                checkers[key] = stack.enter_context(TreeChecker(run_context(workspace, watch.start), checks[task.id]))
            results[task.id] = checkers[key].check(commit_range(task)[1])
    checked = {task.id: _with_results(task, results[task.id]) for task in tasks_to_check}
    return msgspec.structs.replace(
        planned,
        tasks=tuple(checked[task.id] for task in planned.tasks),
        checked_tasks=tuple(checked[task.id] for task in planned.checked_tasks),
    )


def adopt_branches(workspace: Workspace, planned: Adoption) -> Adoption:
    """Create the tasks of an adoption, all or none. Existing branches do not move.

    A remote-tracking branch moves with each fetch, so its task gets a new local branch at the current tip.
    """
    people_only.require_person("adopt branches")
    adopted = [*planned.tasks, *planned.checked_tasks]
    if not adopted:
        return planned
    lines: dict[Oid, list[note.Line]] = {}
    new = {task.id for task in planned.tasks}
    for task in adopted:
        _, tip = commit_range(task)
        checked = (note.check_line(result) for result in task.results)
        lines.setdefault(tip, []).extend([*([note.adopted_line(task)] if task.id in new else []), *checked])
    verb = "adopt" if planned.tasks else "check"
    current = workspace.tasks
    pairs: list[Pair] = [
        *((None, task) for task in planned.tasks),
        *((current[task.id], task) for task in planned.checked_tasks),
    ]
    moves = _new_branches(workspace, planned.tasks)
    tasks = change_with_notes(workspace, verb, pairs, lines, describe(verb, adopted), moves)
    workspace.store.snapshot_if_due()
    count = len(planned.tasks)
    return msgspec.structs.replace(planned, tasks=tuple(tasks[:count]), checked_tasks=tuple(tasks[count:]))


def _unchecked_tasks(workspace: Workspace, branches: Sequence[BranchMatch]) -> list[Task]:
    """Return the finished tasks of these branches that have not been checked at their current tip."""
    refs = {branch.ref for branch in branches}
    finished = [task for task in workspace.tasks.values() if task.state is State.FINISHED and task.tip]
    matches = [task for task in finished if task.branch and branch_ref(task.branch) in refs]
    return [state.task for state in branch_states(workspace, matches).values() if not state.task.results]


def _with_uncommitted(workspace: Workspace, branches: Sequence[BranchMatch]) -> list[tuple[str, Path]]:
    """Return the branches that have worktrees with uncommitted files; beyond a limit, all that have worktrees."""
    folders = linked_worktrees.checked_out(workspace.repository)
    names: dict[Ref, str] = {branch.ref: branch.name for branch in branches if branch.ref in folders}
    dirty = []
    for ref in list(names)[:_STATUS_LIMIT]:
        if worktree_status.is_dirty(workspace.repository, folders[ref]):
            dirty.append((names[ref], folders[ref]))
    return [*dirty, *((names[ref], folders[ref]) for ref in list(names)[_STATUS_LIMIT:])]


def _new_branches(workspace: Workspace, tasks: Sequence[Task]) -> list[RefUpdate]:
    created = [task for task in tasks if task.branch == workspace.config.branch_of(task.id)]
    refs = workspace.repository.refs(*(branch_ref(task.branch) for task in created)) if created else {}
    return [RefUpdate(ref, task.tip, None) for task in created if (ref := branch_ref(task.branch)) not in refs]


def _with_results(task: Task, results: tuple[CheckResult, ...]) -> Task:
    failed = ", ".join(result.name for result in results if not result.passed)
    return change(task, results=results, reason=f"checks failed: {failed}" if failed else "")
