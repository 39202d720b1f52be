"""The public API, which `import gitorch` offers: functions that take an open workspace, and the values they return.

All else in this package is internal. `docs/api.md` describes it with an example.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from gitorch import services
from gitorch.config import Verify
from gitorch.errors import (
    AnswerNeeded,
    GitorchError,
    Incomplete,
    InvalidInput,
    LimitReached,
    NotFound,
    ProofFailed,
    Refused,
    SetupNeeded,
)
from gitorch.flow.merge import MergePlan
from gitorch.model.generators import drain
from gitorch.model.task import Attempt, CheckResult, Comment, Priority, State, Task, TaskSpec
from gitorch.services.open import open_workspace
from gitorch.services.run import RunSummary
from gitorch.services.undo import UndoResult
from gitorch.services.workspace import Workspace

__all__ = [
    "AnswerNeeded",
    "Attempt",
    "CheckResult",
    "Comment",
    "GitorchError",
    "Incomplete",
    "InvalidInput",
    "LimitReached",
    "MergePlan",
    "NotFound",
    "Priority",
    "ProofFailed",
    "Refused",
    "RunSummary",
    "SetupNeeded",
    "State",
    "Task",
    "TaskSpec",
    "UndoResult",
    "Workspace",
    "approve",
    "comment",
    "find_task",
    "kill",
    "open_workspace",
    "plan_merge",
    "publish_merge",
    "redo",
    "reject",
    "resume",
    "retry",
    "revise",
    "run",
    "submit",
    "submit_file",
    "undo",
]


def submit(
    workspace: Workspace,
    prompt: str,
    *,
    title: str = "",
    name: str = "",
    agent: str = "",
    role: str = "",
    priority: Priority = Priority.NORMAL,
    after: Iterable[str] = (),
    checks: Mapping[str, str] | None = None,
    paths: Iterable[str] = (),
    base: str = "",
    budget: float = 0.0,
    timeout: float = 0.0,
) -> Task:
    """Queue a task, and return it.

    - `title`: without one, the first line of the prompt; `name`: the task's id, by default made from the title
    - `agent`, `role`: by default as configured
    - `after`: the tasks that it waits for
    - `checks`: commands by name, in addition to the repository's; `paths`: globs that the work should stay in
    - `base`: the branch or commit to start from, by default as configured
    - `budget`: dollars for all attempts; `timeout`: seconds for one attempt; 0 means the configured limit

    Raises `InvalidInput` for a value that is not valid.
    """
    _require_one_of("priority", priority, [*Priority])
    _require_at_least(0, budget=budget, timeout=timeout)
    draft = services.submit.draft_of(prompt)
    draft = msgspec.structs.replace(
        draft,
        id=name,
        title=title or draft.title,
        agent=agent,
        role=role,
        priority=Priority(priority),
        after=tuple(_listed(after)),
        checks=dict(checks or {}),
        paths=tuple(_listed(paths)),
        base=base,
        budget=budget,
        timeout=timeout,
    )
    (task,) = services.submit.submit_drafts(workspace, [draft])
    return task


def submit_file(workspace: Workspace, path: Path | str) -> list[Task]:
    """Queue the tasks of a file (TOML, Markdown, a checklist or NDJSON) or of a folder of files, all or none."""
    return services.submit.submit_drafts(workspace, services.submit.read_drafts(Path(path), str(path)))


def find_task(workspace: Workspace, name: str) -> Task:
    """Return the task with this id, unique prefix of an id, or number; raise `NotFound` if there is none."""
    return services.lookup.find_task(workspace, name)


def run(
    workspace: Workspace,
    *,
    max_agents: int | None = None,
    start_at: str = "",
    until: str | None = None,
    budget: float | None = None,
    max_unreviewed: int | None = None,
    stop: threading.Event | None = None,
    on_change: Callable[[Sequence[Task]], None] = lambda _: None,
) -> RunSummary:
    """Work through the queue until nothing is left to do or a limit is reached, and return what was done.

    The limits are those of `orchestrate run`, such as `until="07:00"`; None means the configured one. The run calls
    `on_change` with the tasks that have changed, after saving them. Set `stop` to start nothing more; `kill` stops a
    task that runs.
    """
    _require_at_least(1, max_agents=max_agents)
    _require_at_least(0, budget=budget, max_unreviewed=max_unreviewed)
    limits = services.run.run_limits(
        workspace.config,
        max_agents=max_agents,
        start_at=start_at,
        until=until,
        budget=budget,
        max_unreviewed=max_unreviewed,
    )
    changes = services.run.run(workspace, limits, stop or threading.Event())
    return drain(changes, on_change)


def kill(workspace: Workspace, names: Iterable[str], *, reason: str = "killed") -> list[Task]:
    """Stop tasks, and return them. Their work stays on their branches.

    Works from any process, and from another thread with a workspace of its own.
    """
    return services.stop.kill(workspace, _find_all(workspace, names), reason)


def resume(workspace: Workspace, name: str, message: str = "") -> Task:
    """Queue a task to continue in the session of its last attempt; `message` answers a question of the agent."""
    return services.resume.resume(workspace, find_task(workspace, name), message)


def retry(workspace: Workspace, names: Iterable[str], *, agent: str = "") -> list[Task]:
    """Queue new attempts of tasks, by another agent if one is given."""
    return services.submit.retry(workspace, _find_all(workspace, names), agent=agent)


def approve(
    workspace: Workspace, names: Iterable[str], *, reviewer: str = "", force: bool = False, message: str = ""
) -> list[Task]:
    """Approve tasks for merging, and return them.

    `reviewer` is by default the git identity. Of rival attempts, the name of the group means the proposed one; the
    others are rejected, and not returned. Raises `Refused` for a task that has changed since it was shown, and, unless
    `force` is set, for one whose checks fail, that adds credentials, or that is too large to be searched for them.
    """
    reviewer = reviewer or services.reviewing.comments.current_reviewer(workspace)
    tasks = [services.reviewing.rivals.chosen(workspace, task) for task in _find_all(workspace, names)]
    changed = services.reviewing.review.approve(workspace, tasks, reviewer, force=force, comment=message)
    approved = {task.id for task in tasks}
    return [task for task in changed if task.id in approved]


def comment(workspace: Workspace, name: str, text: str, *, file: str = "", line: int = 0, reviewer: str = "") -> Task:
    """Add a comment to a task, a file or a line (1 is the first), and return the task; `revise` sends it."""
    if line and not file:
        raise InvalidInput("argument", f"line is {line}, and file is empty: a line is one of a file")
    _require_at_least(0, line=line)
    task = find_task(workspace, name)
    reviewer = reviewer or services.reviewing.comments.current_reviewer(workspace)
    entry = Comment(text=text, file=file, line=line, author=reviewer, attempt=task.attempts)
    return services.reviewing.comments.add_comment(workspace, task, entry)


def revise(workspace: Workspace, name: str, message: str = "", *, reviewer: str = "") -> Task:
    """Send a task back with its comments and this message: the next attempt continues on its branch."""
    task = find_task(workspace, name)
    reviewer = reviewer or services.reviewing.comments.current_reviewer(workspace)
    comments = [Comment(text=message, author=reviewer, attempt=task.attempts)] if message else []
    return services.reviewing.review.revise(workspace, task, reviewer, comments)


def reject(workspace: Workspace, name: str, message: str = "", *, reviewer: str = "") -> Task:
    """Reject a task, and return it. Its branch is kept."""
    reviewer = reviewer or services.reviewing.comments.current_reviewer(workspace)
    return services.reviewing.review.reject(workspace, find_task(workspace, name), reviewer, message)


def plan_merge(
    workspace: Workspace,
    names: Iterable[str] | None = None,
    *,
    skip: Iterable[str] = (),
    into: str = "",
    squash: bool = False,
    verify: str = "",
    resolved: bool = False,
) -> MergePlan:
    """Plan a merge of approved tasks onto the integration branch, and check the result. Moves no branch.

    - `names`: the tasks to merge, with what they build on; None means all that are approved; `skip`: tasks to leave out
    - `into`: a branch of yours that is to move to the result, too; `squash`: make one commit of each task
    - `verify`: which trees to check, `each`, `batch`, `end` or `never`; by default as configured
    - `resolved`: also merge a task that conflicts, if the checks prove a resolution (as `merge.resolve = "auto"` does)

    The plan's `steps` go in; `conflicts`, `blocked` and `failures` do not.
    """
    verify = verify or workspace.config.merge.verify
    _require_one_of("verify", verify, get_args(Verify))
    task_ids = None if names is None else [task.id for task in _find_all(workspace, names)]
    skipped = [task.id for task in _find_all(workspace, skip)]
    with services.merging.replaying.open_replayer(workspace, squash=squash) as replayer:
        plan = services.merging.merge.plan_merge(workspace, replayer, task_ids, skipped, into)
        plan = drain(services.merging.merge.verify_merge(workspace, replayer, plan, verify), lambda _: None)
        if resolved or workspace.config.merge.resolve == "auto":
            plan = drain(
                services.merging.resolving.resolve_merge(workspace, replayer, plan, reorder=True), lambda _: None
            )
        replayer.keep(plan.tip)
        return plan


def publish_merge(workspace: Workspace, plan: MergePlan) -> None:
    """Move the integration branch, the notes and the tasks to a plan's result, all or nothing.

    The commits are signed as `merge.sign` says. Raises `Refused` if another command has changed a task of the plan or
    the integration branch since.
    """
    services.merging.merge.publish_stored(
        workspace, services.merging.merge_signing.sign(workspace, plan, by_person=True)
    )


def undo(workspace: Workspace) -> UndoResult:
    """Undo the last operation. Raises `Refused` if it cannot be undone exactly."""
    return services.undo.undo(workspace)


def redo(workspace: Workspace) -> UndoResult:
    """Bring back what the last undo took back."""
    return services.undo.redo(workspace)


def _find_all(workspace: Workspace, names: Iterable[str]) -> list[Task]:
    return [find_task(workspace, name) for name in _listed(names)]


def _listed(values: Iterable[str]) -> list[str]:
    """Return values as a list: a text alone is one value, and not one for each of its letters."""
    return [values] if isinstance(values, str) else [*values]


def _require_at_least(least: int, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value >= least:  # NaN, too
            raise InvalidInput("argument", f"{name} is {value}, and must be at least {least}")


def _require_one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InvalidInput("argument", f"{name} is {value!r}, and must be one of {', '.join(allowed)}")
