"""Import existing branches as finished tasks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from gitorch.errors import Refused
from gitorch.flow import adopt
from gitorch.flow.adopt import Found, Left
from gitorch.flow.merge.trees import TreeChecker
from gitorch.flow.scheduling import base as task_base
from gitorch.git import worktree_status, worktrees
from gitorch.model import graph, note
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.task import CheckResult, State, Task, by_id, change, commit_range
from gitorch.services.agents import run_context
from gitorch.services.branches import integration_tip
from gitorch.services.changes import change_with_notes
from gitorch.services.checks import checks_for
from gitorch.services.review import at_branch_tips
from gitorch.services.submit import require_prefix, taken_names
from gitorch.services.workspace import Workspace
from gitorch.storage import trust
from gitorch.storage.operations import words
from gitorch.storage.tasks import Pair

_STATUS_LIMIT = 16  # worktrees whose files are looked at, one git each


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption makes: tasks of branches, and existing tasks that are checked now.

    `commits` are the numbers of own commits by task, `sources` the branches that were asked for; `unsaved` names
    worktrees of these branches with uncommitted files, which do not count.
    """

    tasks: tuple[Task, ...]
    judged: tuple[Task, ...] = ()
    left: tuple[Left, ...] = ()
    commits: dict[TaskId, int] = {}
    sources: dict[TaskId, str] = {}
    unsaved: tuple[tuple[str, Path], ...] = ()


class CheckProgress(msgspec.Struct, frozen=True):
    """Which tree is checked now."""

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
    """Return which tasks these branches (names or globs, local or remote-tracking) would become.

    Raises `NotFound` for a name or glob without a branch, and `Refused` for branches that were named and cannot be
    adopted; those that only matched a glob are skipped, and listed.
    """
    require_prefix(workspace)
    repository, config, tasks = workspace.repository, workspace.config, workspace.tasks
    branches = adopt.find(repository, patterns)
    unchecked = _unchecked_tasks(workspace, branches) if check else []
    known = {branch_ref(task.branch) for task in unchecked}
    new = [branch for branch in branches if branch.ref not in known]
    start = task_base.named(repository, config, base)
    limits = [start, *([tip] if (tip := integration_tip(workspace)) and tip != start else [])]
    study = adopt.study(repository, config, new, tasks, limits)
    adopt.refuse_named(study.left)
    adopted = adopt.tasks_of(repository, config, study.own, tasks, taken_names(workspace), after)
    graph.refuse_broken(by_id(adopted), tasks)
    own = {entry.branch.tip: entry for entry in study.own}
    return Adoption(
        tasks=tuple(adopted),
        judged=tuple(unchecked),
        left=study.left,
        commits={task.id: len(own[task.tip].commits) for task in adopted if task.tip},
        sources={task.id: own[task.tip].branch.name for task in adopted if task.tip},
        unsaved=tuple(_with_uncommitted(workspace, [entry.branch for entry in study.own])),
    )


def check_adoption(workspace: Workspace, planned: Adoption) -> Generator[CheckProgress, None, Adoption]:
    """Run the checks on the tips of an adoption's tasks; return it with their results.

    Raises `Refused` where there is no check to run.
    """
    every = [*planned.tasks, *planned.judged]
    checks = {task.id: checks_for(workspace, task) for task in every}
    if every and not any(checks.values()):
        raise Refused(
            "no-checks", "there is no check to judge them by", fix=("orchestrate init", "orchestrate config show")
        )
    results: dict[TaskId, tuple[CheckResult, ...]] = {}
    with ExitStack() as stack:
        checkers: dict[str, TreeChecker] = {}
        for step, task in enumerate(every, start=1):
            yield CheckProgress(task.id, step, len(every))
            key = repr(sorted(checks[task.id].items()))
            if key not in checkers:
                checkers[key] = stack.enter_context(TreeChecker(run_context(workspace), checks[task.id]))
            results[task.id] = checkers[key].check(commit_range(task)[1])
    checked = {task.id: _with_results(task, results[task.id]) for task in every}
    return msgspec.structs.replace(
        planned,
        tasks=tuple(checked[task.id] for task in planned.tasks),
        judged=tuple(checked[task.id] for task in planned.judged),
    )


def adopt_branches(workspace: Workspace, planned: Adoption) -> Adoption:
    """Make the tasks of an adoption, all or none. The branches themselves are not moved.

    A remote-tracking branch moves with each fetch, so its task gets a branch of its own at this tip.
    """
    trust.require_person("adopt branches")
    every = [*planned.tasks, *planned.judged]
    if not every:
        return planned
    lines: dict[Oid, list[note.Line]] = {}
    new = {task.id for task in planned.tasks}
    for task in every:
        _, tip = commit_range(task)
        checked = (note.check_line(result) for result in task.results)
        lines.setdefault(tip, []).extend([*([note.adopted_line(task)] if task.id in new else []), *checked])
    verb = "adopt" if planned.tasks else "check"
    current = workspace.tasks
    pairs: list[Pair] = [
        *((None, task) for task in planned.tasks),
        *((current[task.id], task) for task in planned.judged),
    ]
    moves = _new_branches(workspace, planned.tasks)
    tasks = change_with_notes(workspace, verb, pairs, lines, words(verb, every), moves)
    workspace.store.snapshot_if_due()
    count = len(planned.tasks)
    return msgspec.structs.replace(planned, tasks=tuple(tasks[:count]), judged=tuple(tasks[count:]))


def _unchecked_tasks(workspace: Workspace, branches: Sequence[Found]) -> list[Task]:
    """Return the finished tasks of these branches that have not been checked as they are."""
    refs = {branch.ref for branch in branches}
    finished = [task for task in workspace.tasks.values() if task.state is State.FINISHED and task.tip]
    matches = [task for task in finished if task.branch and branch_ref(task.branch) in refs]
    return [task for task in at_branch_tips(workspace, matches) if not task.results]


def _with_uncommitted(workspace: Workspace, branches: Sequence[Found]) -> list[tuple[str, Path]]:
    """Return the branches that have worktrees with uncommitted files; beyond a limit, all that have worktrees."""
    folders = worktrees.checked_out(workspace.repository)
    names: dict[Ref, str] = {branch.ref: branch.name for branch in branches if branch.ref in folders}
    dirty = []
    for ref in list(names)[:_STATUS_LIMIT]:
        if worktree_status.is_dirty(workspace.repository, folders[ref]):
            dirty.append((names[ref], folders[ref]))
    return [*dirty, *((names[ref], folders[ref]) for ref in list(names)[_STATUS_LIMIT:])]


def _new_branches(workspace: Workspace, tasks: Sequence[Task]) -> list[RefUpdate]:
    own = [task for task in tasks if task.branch == workspace.config.branch_of(task.id)]
    refs = workspace.repository.refs(*(branch_ref(task.branch) for task in own)) if own else {}
    return [RefUpdate(ref, task.tip, None) for task in own if (ref := branch_ref(task.branch)) not in refs]


def _with_results(task: Task, results: tuple[CheckResult, ...]) -> Task:
    failed = ", ".join(result.name for result in results if not result.passed)
    return change(task, results=results, reason=f"checks failed: {failed}" if failed else "")
