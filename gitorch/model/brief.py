"""The brief: what an agent is told, as one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.model.roles import Role
from gitorch.model.task import CheckResult, Comment, Task

_LAST_LINES = 200


def first_brief(
    task: Task, role: Role, checks: Mapping[str, str], before: Sequence[Task] = (), conflict: Sequence[str] = ()
) -> str:
    """Return the brief of an attempt: the task's own words, unchanged, and what an unattended agent has to know.

    `checks` are the commands that will judge the work, `before` the tasks that it builds on, `conflict` the lines on a
    conflict that is to be solved.
    """
    parts = [
        f"# Task: {task.title}\n",
        task.prompt,
        "\n# Who you are\n",
        role.instructions,
        *_built_on(before),
        *_commented(task.comments, task.attempts),
        *_given(task),
        *conflict,
        "\n# How to work\n",
        _RULES.format(branch=task.branch),
        *_judged(checks),
    ]
    return "\n".join(parts) + "\n"


def conflict(task: Task, hunks: Mapping[str, str], opponents: Sequence[Task]) -> list[str]:
    """Return what an agent is told whose task is in conflict with what was merged meanwhile.

    `hunks` are the places in conflict, by file, with git's markers; `opponents` the tasks on the other side.
    """
    parts = ["\n# What is to be done now: solve a conflict\n", _CONFLICT.format(branch=task.branch)]
    for one in opponents:
        parts.append(f"\n## The other side: {one.title}\n\n{fenced(one.prompt)}")
    for path, text in hunks.items():
        parts.append(f"\n## In `{path}`\n\n{fenced(text)}")
    if not hunks:
        parts.append("\nThe files hold what git made of both sides. See that it does what both tasks want.")
    return parts


_CONFLICT = """\
The task was done, and its work conflicts with work that was merged meanwhile. The branch `{branch}` has been put on top
of that; what did not fit is in the worktree, not committed, and both versions stand between conflict markers: what is
merged first, this task's second. Edit these files so that they do what both tasks want; do not just take one side.
Leave no marker, and commit all that is in the worktree. What the task asked for is above."""


def fix_brief(failed: Sequence[tuple[CheckResult, str]]) -> str:
    """Return what goes back into the session when checks fail: each command, its exit code, the end of its output."""
    parts = ["Your work was committed and checked. These checks fail. Mend what is wrong, and commit.\n"]
    for result, output in failed:
        tail = "\n".join(output.splitlines()[-_LAST_LINES:])
        parts.append(
            f"## {result.name}: `{result.command}` ended with exit code {result.exit_code}\n\n{fenced(tail)}\n"
        )
    return "\n".join(parts)


def go_on_brief() -> str:
    """Return what goes back into a session that was cut off."""
    return (
        "You were cut off. What you had not committed then was committed for you as work in progress. "
        "Look at the worktree, go on with the task where you stopped, and commit your work.\n"
    )


_RULES = """\
You work alone and unattended in a git worktree of your own, on the branch `{branch}`. Nobody can answer questions:
decide, and say what you decided in the commit message. Commit your work on this branch, in commits that a reviewer
can follow. Do not push, do not switch branches, do not touch other branches, the stash or the git configuration,
and change nothing outside this worktree. When you are done, end with a short summary of what you did, how to check
it, and what is left open."""


def fenced(text: str) -> str:
    """Return text in a code fence that is longer than any fence inside it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _built_on(before: Sequence[Task]) -> list[str]:
    if not before:
        return []
    lines = [f"- {task.id}: {task.title}" for task in before]
    return ["\n# What this builds on\n", "The work of these tasks is already in your worktree:\n", *lines]


def _commented(comments: Sequence[Comment], attempts: int) -> list[str]:
    if not comments:
        return []
    lines = [f"{number}. {_place(comment)}{comment.text}" for number, comment in enumerate(comments, start=1)]
    intro = f"A reviewer read your branch (attempt {attempts}) and sends it back. Answer each point with a change.\n"
    return ["\n# Comments of the review\n", intro, *lines]


def _place(comment: Comment) -> str:
    if not comment.file:
        return ""
    return f"`{comment.file}:{comment.line}`: " if comment.line else f"`{comment.file}`: "


def _given(task: Task) -> list[str]:
    parts = []
    if task.context:
        parts += ["\n# Context\n", fenced(task.context)]
    if task.paths:
        parts += ["\n# Scope\n", "Keep to these paths: " + ", ".join(f"`{path}`" for path in task.paths)]
    return parts


def _judged(checks: Mapping[str, str]) -> list[str]:
    if not checks:
        return []
    lines = [f"- {name}: `{command}`" for name, command in checks.items()]
    return ["\n# How your work will be judged\n", "These commands are run on your branch afterwards:\n", *lines]
