"""Commit what an agent left through the hooks of the repository's own, in its room."""

from __future__ import annotations

from gitorch.config import seconds
from gitorch.executors.protocol import Spec, tail_text
from gitorch.flow.attempt.attempt_executions import execute
from gitorch.flow.attempt.opened_attempt import OpenedAttempt
from gitorch.model.task import Task, current_attempt
from gitorch.rooms.context import RunContext

# the files are named on standard input; signing needs the user's key, which no room has
_COMMIT = """\
git update-index --add --remove --replace -z --stdin || exit 97
git diff --cached --quiet && exit 0
exec git -c commit.gpgSign=false commit --quiet --message "$1"
"""
_NOT_STAGED = 97


def refusal(context: RunContext, task: Task, opened: OpenedAttempt, message: str) -> str:
    """Commit what is not committed in a room with `message`; return what a hook says that refuses it, or "".

    Does nothing if the repository has no hook that could refuse, or if the files cannot be staged.
    """
    paths = opened.room.awaiting_hooks()
    if not paths:
        return ""
    command = opened.room.check_command(("sh", "-c", _COMMIT, "sh", message))
    spec = Spec(
        key=f"{opened.key}/commit-{current_attempt(task).round}",
        argv=command.argv,
        cwd=command.cwd,
        env=command.env,
        stdin=b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths),
        timeout=seconds(context.config.run.task_timeout),
        idle=seconds(context.config.run.idle_timeout),
    )
    result = execute(context, opened, spec)
    if result.cause == "exited" and result.exit_code in (0, _NOT_STAGED):
        return ""
    execution = context.executor.id_of(spec.key)
    output = "\n".join(tail_text(context.executor, execution, stream).strip() for stream in ("stdout", "stderr"))
    ended = result.interruption or f"ended with exit code {result.exit_code}"
    return output.strip() or f"git commit {ended}"
