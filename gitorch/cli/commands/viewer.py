"""`diff --viewer`, and the key `v` of a review: the range of a task in the reviewer's own diff viewer."""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
from pathlib import Path

from gitorch import services
from gitorch.cli import views
from gitorch.cli.session import Session
from gitorch.errors import Refused
from gitorch.executors.foreground import run_attended
from gitorch.model.review.viewer_comments import read_viewer_comments
from gitorch.model.task import Task, commit_range

_OUTPUT = "{output}"
_COMMENTS_WRITTEN = 10
"""The exit code of revdiff when it has written comments."""

_INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)
"""How the shell ends when the reviewer ends the viewer with Ctrl-C, as difit and other servers expect."""


def open_viewer(session: Session, task: Task) -> Task:
    """Run the viewer on a task's range until it ends, and keep the comments that it wrote; return the task."""
    workspace = session.workspace
    command = workspace.config.review.viewer
    if not command:
        raise Refused(
            "no-viewer",
            "no viewer is configured",
            fix=("""orchestrate config set review.viewer "revdiff --output {output} {base} {tip}" --user""",),
        )
    if task.tip is None:
        raise Refused("no-commits", f"{task.id} has no commits yet", why=task.full_reason)
    services.configured_checks.require_trust(workspace)
    branch = services.branches.branch_tips.branch_state(workspace, task)
    base, tip = commit_range(branch.task)
    with tempfile.TemporaryDirectory(prefix="gitorch-viewer-") as folder:
        output = Path(folder) / "comments"
        values = {"{base}": base, "{tip}": tip, "{range}": f"{base}..{tip}", _OUTPUT: str(output)}
        line = command
        for name, value in values.items():
            line = line.replace(name, shlex.quote(value))
        top = workspace.repository.work_tree or workspace.repository.common_dir
        code = run_attended(["/bin/sh", "-c", line], cwd=top, env=os.environ)
        text = output.read_text("utf-8", "replace") if output.exists() else ""
    comments = read_viewer_comments(text)
    if code not in (0, _COMMENTS_WRITTEN, *_INTERRUPTED) and not comments:
        raise Refused("viewer-failed", f"the viewer ended with exit code {code}", why=command)
    session.mark_shown(branch.task)
    if comments:
        task = services.reviewing.comments.keep_comments(workspace, session.find(task.id), comments)
        count = views.quantities.plural(len(comments), "comment")
        session.say(f"{task.id}: {count} from the viewer, {len(task.comments)} to be sent")
    elif _OUTPUT in command:
        session.say(f"{task.id}: the viewer wrote no comments")
    return task
