"""Review finished tasks: approve, comment, send back, reject."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.errors import InvalidInput, Refused
from gitorch.flow import review
from gitorch.flow.review import ReviewCard
from gitorch.git import credentials
from gitorch.model import note
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.task import Comment, Commits, State, Task, base_of, change, commit_range
from gitorch.services import guard, moved
from gitorch.services.changes import change_tasks, change_with_notes
from gitorch.services.checks import checks_for
from gitorch.services.resume import answered
from gitorch.services.stale import mark_dependents_stale
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import describe
from gitorch.storage.tasks import Pair


def current_reviewer(workspace: Workspace) -> str:
    """Return the current reviewer: the name and mail of the git identity."""
    return workspace.repository.committer().rpartition(">")[0] + ">"


def review_card(workspace: Workspace, task: Task) -> ReviewCard:
    """Return the review card of a task. Raises `Refused` if it has no commits."""
    if task.tip is None:
        raise Refused(
            "no-commits", f"{task.id} has no commits yet", why=task.reason, fix=(f"orchestrate log {task.id}",)
        )
    changes = dict.fromkeys(change.what for change in moved.unacknowledged(workspace, task.id))
    return review.card(workspace.repository, workspace.config, task, [*changes])


def cards_by_risk(workspace: Workspace) -> list[ReviewCard]:
    """Return the cards of all finished tasks, the riskiest first."""
    finished = [task for task in workspace.tasks.values() if task.state is State.FINISHED and task.tip]
    return review.by_risk([review_card(workspace, task) for task in finished])


def approve(
    workspace: Workspace, tasks: Sequence[Task], reviewer: str, *, force: bool = False, comment: str = ""
) -> list[Task]:
    """Accept tasks for merging. Failing checks and added credentials are refused, unless forced."""
    guard.require_person("approve")
    merged = [task for task in tasks if task.state is State.MERGED]
    tasks = [task for task in tasks if task not in merged]
    current = at_branch_tips(workspace, tasks)
    for task in current:
        if workspace.config.review.require_checks and not force:
            _require_checks(workspace, task)
        if not force:
            _require_no_credentials(workspace, task)
    approved = [change(task, state=State.APPROVED, reason="") for task in current]
    comments = (Comment(text=comment),) if comment else ()
    pairs = list(zip(tasks, approved, strict=True))
    return [*_record_verdict(workspace, "approve", pairs, [*current, *merged], reviewer, comments), *merged]


def at_branch_tips(workspace: Workspace, tasks: Sequence[Task]) -> list[Task]:
    """Return tasks with the current tips of their branches: a person may have committed to one by hand.

    Raises `Refused` if a branch no longer exists or no longer contains the reviewed commit.
    """
    refs = [branch_ref(task.branch) for task in tasks if task.branch]
    tips = workspace.repository.refs(*refs) if refs else {}
    return [_at_tip(workspace, task, tips.get(branch_ref(task.branch))) for task in tasks]


def comment(workspace: Workspace, task: Task, comment: Comment) -> Task:
    """Add a reviewer's comment to a task; `revise` sends it."""
    if task.state is State.RUNNING:
        raise Refused("running", f"{task.id} is still running")
    commented = change(task, comments=(*task.comments, comment))
    return change_tasks(workspace, "comment", [(task, commented)], f"comment on {task.id}")[0]


def revise(workspace: Workspace, task: Task, reviewer: str, comments: Sequence[Comment]) -> Task:
    """Send a task back: the next attempt continues on its branch and gets the comments.

    For a task that asked a question, the comments are the answer.
    """
    guard.require_person("send work back")
    if task.question and comments:
        answer = answered(workspace, task, "\n\n".join(comment.text for comment in comments))
        return change_tasks(workspace, "resume", [(task, answer)], f"resume {task.id}")[0]
    all_comments = (*task.comments, *comments)
    if not all_comments:
        raise InvalidInput(
            "no-comment", "say what should be different", fix=(f'orchestrate revise {task.id} -m "..."',)
        )
    revised = change(task, state=State.QUEUED, reason="sent back", comments=all_comments, retried=0)
    pairs = [(task, revised), *mark_dependents_stale(workspace, task)]
    return _record_verdict(workspace, "revise", pairs, [task], reviewer, all_comments)[0]


def reject(workspace: Workspace, task: Task, reviewer: str, comment: str = "") -> Task:
    """Drop a task. Its branch is kept."""
    guard.require_person("reject work")
    rejected = change(task, state=State.REJECTED, reason=comment)
    pairs = [(task, rejected), *mark_dependents_stale(workspace, task)]
    comments = (Comment(text=comment),) if comment else ()
    return _record_verdict(workspace, "reject", pairs, [task], reviewer, comments)[0]


def _require_checks(workspace: Workspace, task: Task) -> None:
    """Raise `Refused` if a check fails, or if checks are configured and have not run on this tree."""
    failing = ", ".join(result.name for result in task.results if not result.passed)
    unchecked = task.tip is not None and not task.results and bool(checks_for(workspace, task))
    if failing or unchecked:
        raise Refused(
            "checks-failed",
            f"{task.id} does not pass its checks: {failing}"
            if failing
            else f"{task.id} has not been checked in its current state",
            fix=(
                f"orchestrate revise {task.id} -m ..." if failing else f"orchestrate adopt --check {task.branch}",
                f"orchestrate approve {task.id} --force",
            ),
        )


def adds_credentials(workspace: Workspace, task: Task) -> bool:
    """Return whether the commits of a task add a credential."""
    return task.tip is not None and bool(credentials.search(workspace.repository, *commit_range(task)).credentials)


def _require_no_credentials(workspace: Workspace, task: Task) -> None:
    """Raise `Refused` if the commits of a task add a credential, which nobody can take out of the history again."""
    if task.tip is None:
        return
    if found := credentials.search(workspace.repository, *commit_range(task)).credentials:
        raise Refused(
            "credentials",
            f"{task.id} adds credentials: {credentials.named(found)}",
            why="what is merged stays in the history; a credential that is real has to be replaced where it is valid",
            fix=(f"orchestrate retry {task.id}", f"orchestrate approve {task.id} --force"),
        )


def _at_tip(workspace: Workspace, task: Task, tip: Oid | None) -> Task:
    if tip == task.tip or task.tip is None:
        return task
    repository = workspace.repository
    if tip is None or not repository.is_ancestor(task.tip, tip):
        raise Refused(
            "branch-moved",
            f"{task.branch} no longer contains the commit that was checked",
            why=f"{task.tip[:12]} was checked, the branch is at {tip[:12] if tip else 'no commit'}",
            fix=(f"orchestrate reject {task.id}", f"orchestrate adopt {task.branch}")
            if task.adopted
            else (f"git branch --force {task.branch} {task.tip[:12]}", f"orchestrate retry {task.id}"),
        )
    is_same = repository.tree(tip) == repository.tree(task.tip)
    return change(task, commits=Commits(base_of(task), tip), results=task.results if is_same else ())


def _record_verdict(
    workspace: Workspace,
    verdict: str,
    pairs: Sequence[Pair],
    reviewed: Sequence[Task],
    reviewer: str,
    comments: Sequence[Comment],
) -> list[Task]:
    """Save changed tasks, and note the verdict on the tips of the reviewed ones; return the changed tasks."""
    lines: dict[Oid, list[note.Line]] = {}
    for task in reviewed:
        # note the verdict on an automatically merged task on its merged commit
        if commit := task.merged_as or task.tip:
            lines.setdefault(commit, []).append(note.verdict_line(task, verdict, reviewer, comments))
    changed = change_with_notes(workspace, verdict, pairs, lines, describe(verdict, reviewed))
    workspace.store.snapshot_if_due()
    return changed
