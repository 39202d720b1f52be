"""Note an attempt's collected commits, without the credentials that the agent put into them."""

from __future__ import annotations

from gitorch.flow.attempt.opened_attempt import OpenedAttempt
from gitorch.git.collecting import credentials, redaction
from gitorch.git.collecting.hook_ledger import commits_past
from gitorch.git.repository import GitFailed
from gitorch.git.worktrees import rescue_points
from gitorch.model import alarms
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import Oid, branch_ref, rescue_ref
from gitorch.model.task import Commits, Task, base_of, change, change_attempt, current_attempt
from gitorch.model.visible import visible
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import Collected

_SHORT = 10
_LONGEST_SUBJECT = 72


def own_message(task: Task, *, is_unfinished: bool = False) -> str:
    """Return the message with which gitorch commits what an agent left."""
    return f"{'WIP: ' if is_unfinished else ''}{task.title}\n\nTask: {task.id}\nAgent: {task.spec.agent}\n"


def record_commits(context: RunContext, task: Task, opened: OpenedAttempt, collected: Collected) -> Task:
    """Return the task with its commits, and with what the reviewer has to know about how they were made."""
    past = _past_hooks(context, task, opened, collected)
    tip, redactions = _without_credentials(context, task, opened, collected.tip)
    task = change(task, commits=Commits(base_of(task), tip))
    lines = (*current_attempt(task).alarms, *map(alarms.skipped, collected.skipped_hooks), *past, *redactions)
    return change_attempt(task, alarms=tuple(dict.fromkeys(lines)))


def _past_hooks(context: RunContext, task: Task, opened: OpenedAttempt, collected: Collected) -> tuple[str, ...]:
    """Return the alarm for what the agent committed past the user's hooks since its last round."""
    attempt = current_attempt(task)
    if attempt.started is None:
        return ()
    ledger = opened.room.hook_ledger()
    earlier = [commit for commit in (base_of(task), attempt.start, task.tip) if commit]
    past = commits_past(context.repository, ledger, collected.tip, earlier, attempt.started)
    gitorchs = {own_message(task).strip(), own_message(task, is_unfinished=True).strip()}
    words = [f"{oid[:_SHORT]} {_subject(message)}" for oid, message in past if message.strip() not in gitorchs]
    return (alarms.past_hooks(ledger.hooks, words),) if words else ()


def _subject(message: str) -> str:
    first, _, _ = message.strip().partition("\n")
    return redacted(visible(first))[:_LONGEST_SUBJECT]


def _without_credentials(
    context: RunContext, task: Task, opened: OpenedAttempt, tip: Oid
) -> tuple[Oid, tuple[str, ...]]:
    """Return the tip to go on with, and alarms. The commits that the agent made are kept in a rescue point."""
    repository = context.repository
    start = current_attempt(task).start or base_of(task)
    if not context.config.run.redact_commits or not credentials.search(repository, start, tip).credentials:
        return tip, ()
    try:
        rewritten = redaction.rewrite(repository, start, tip, branch_ref(task.branch))
    except GitFailed as error:
        return tip, (
            alarms.redacted(f"the agent's commits hold credentials, which could not be redacted: {error.what}"),
        )
    if rewritten is None:
        return tip, ()
    rescue_points.save_commits(
        repository, rescue_ref(task.id), tip, f"commits of {task.id} as the agent made them, with credentials"
    )
    opened.room.replace_tip(tip, rewritten.tip)
    words = f"gitorch redacted credentials in the agent's commits: {credentials.named(rewritten.credentials)}"
    return rewritten.tip, (alarms.redacted(words),)
