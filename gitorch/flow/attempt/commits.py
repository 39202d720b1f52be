"""Note an attempt's collected commits, without the credentials that the agent put into them."""

from __future__ import annotations

from gitorch.flow.attempt.environment import AttemptEnv
from gitorch.git import commit_redaction, credentials, rescue
from gitorch.git.repository import GitFailed
from gitorch.model import alarms
from gitorch.model.naming import Oid, branch_ref, rescue_ref
from gitorch.model.task import Commits, Task, base_of, change, change_attempt, current_attempt
from gitorch.rooms.base import Collected
from gitorch.rooms.context import RunContext


def record_commits(context: RunContext, task: Task, env: AttemptEnv, collected: Collected) -> Task:
    """Return the task with its commits, and with what the reviewer has to know about how they were made."""
    tip, redactions = _without_credentials(context, task, env, collected.tip)
    task = change(task, commits=Commits(base_of(task), tip))
    lines = (*current_attempt(task).alarms, *map(alarms.skipped, collected.skipped_hooks), *redactions)
    return change_attempt(task, alarms=tuple(dict.fromkeys(lines)))


def _without_credentials(context: RunContext, task: Task, env: AttemptEnv, tip: Oid) -> tuple[Oid, tuple[str, ...]]:
    """Return the tip to go on with, and alarms. The commits that the agent made are kept in a rescue point."""
    repository = context.repository
    start = current_attempt(task).start or base_of(task)
    if not context.config.run.redact_commits or not credentials.search(repository, start, tip).credentials:
        return tip, ()
    try:
        redacted = commit_redaction.rewrite(repository, start, tip, branch_ref(task.branch))
    except GitFailed as error:
        return tip, (
            alarms.redacted(f"the agent's commits hold credentials, which could not be redacted: {error.what}"),
        )
    if redacted is None:
        return tip, ()
    rescue.save_commits(
        repository, rescue_ref(task.id), tip, f"commits of {task.id} as the agent made them, with credentials"
    )
    env.room.replace_tip(tip, redacted.tip)
    words = f"gitorch redacted credentials in the agent's commits: {credentials.named(redacted.credentials)}"
    return redacted.tip, (alarms.redacted(words),)
