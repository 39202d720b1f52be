"""Branches that a person has moved: what was added by hand, and where the branch starts now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from gitorch.errors import NotFound
from gitorch.flow.scheduling import base_choice as task_base
from gitorch.git.repository import Repository
from gitorch.model.branch_state import BranchState, LaterCommit
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import Oid
from gitorch.model.task import Commits, State, Task, base_of, change
from gitorch.services.branches.own_branches import integration_tip
from gitorch.services.branches.stale import is_up_to_date
from gitorch.services.workspace import Workspace

_MAX_LATER = 100


def moved_branch(workspace: Workspace, task: Task, tip: Oid) -> BranchState:
    """Return the state of a branch at a tip that is not the one of its attempt, or not the recorded one."""
    repository = workspace.repository
    collected = _collected_tip(repository, task, tip)
    if task.state is State.APPROVED:
        collected = task.tip
    commits, limits = Commits(base_of(task), tip), _limits(workspace, task)
    if tip != task.tip:
        commits = Commits(_base(repository, base_of(task), tip, limits), tip)
    is_same = task.tip is not None and (tip == task.tip or repository.tree(tip) == repository.tree(task.tip))
    current = change(task, commits=commits, results=task.results if is_same else ())
    if task.stale and is_up_to_date(workspace, current, workspace.tasks):
        current = change(current, stale=False)
    return BranchState(
        task=current,
        later=_later(repository, tip, [*limits, *([collected] if collected else [])]),
        is_rewritten=collected is not None and collected != tip and not repository.is_ancestor(collected, tip),
        unseen=tip if tip != task.tip else None,
    )


def _collected_tip(repository: Repository, task: Task, tip: Oid) -> Oid | None:
    """Return the last commit of the attempt, or the recorded tip where the attempt was given up."""
    attempt_tip = task.attempt.tip if task.attempt else None
    if attempt_tip is None or task.tip is None or attempt_tip == task.tip:
        return task.tip
    return attempt_tip if repository.is_ancestor(attempt_tip, tip) else task.tip


def _limits(workspace: Workspace, task: Task) -> list[Oid]:
    """Return the commits whose history is not a task's own: its base, what it builds on, and what is merged."""
    tasks = workspace.tasks
    dependencies = [tasks[name] for name in task.spec.after if name in tasks]
    commits = [commit for dependency in dependencies for commit in (dependency.tip, dependency.merged_as)]
    with suppress(NotFound):  # the branch that the task started from may be gone
        commits.append(task_base.start_of(workspace.repository, workspace.config, task.spec))
    known = dict.fromkeys([base_of(task), integration_tip(workspace), *commits])
    return [commit for commit in known if commit is not None]


def _base(repository: Repository, base: Oid, tip: Oid, limits: Iterable[Oid]) -> Oid:
    """Return the commit on which a branch that was moved by hand starts: the newest that it shares with the limits."""
    words = ("rev-list", "--parents", tip, "--not", *limits)
    rows = [line.split(" ") for line in repository.git(*words).text.split("\n") if line]
    own = {commit for commit, *_ in rows}
    forks = {parent for _, *parents in rows for parent in parents} - own
    if len(forks) < 2:
        return Oid(next(iter(forks), base))
    newest = repository.git("merge-base", "--independent", *sorted(forks)).text.split("\n")
    return Oid(newest[0])


def _later(repository: Repository, tip: Oid, limits: Iterable[Oid]) -> tuple[LaterCommit, ...]:
    words = (
        "log",
        "-z",
        "--topo-order",
        f"--max-count={_MAX_LATER}",
        "--format=%H%x00%an%x00%s",
        tip,
        "--not",
        *limits,
    )
    fields = repository.git(*words).fields()
    rows = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    later = [LaterCommit(oid=Oid(oid), author=author, subject=redacted(subject)) for oid, author, subject in rows]
    return tuple(reversed(later))
