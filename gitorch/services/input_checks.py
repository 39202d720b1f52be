"""Checks of what a person types, when it is typed: bases, commands, and places in files. Errors name the near miss."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from gitorch.errors import InvalidInput, did_you_mean
from gitorch.git.repository import Repository
from gitorch.model.task import Task


def require_bases(repository: Repository, names: Iterable[str]) -> None:
    """Raise `InvalidInput` for a base that is no commit; it names the branch or tag that was meant."""
    bases = [*dict.fromkeys(filter(None, names))]
    commits = dict.fromkeys(bases)
    resolvable = [name for name in bases if name.isprintable() and not name.startswith("-")]
    if resolvable:
        oids = repository.object_ids(*(f"{name}^{{commit}}" for name in resolvable))
        commits |= zip(resolvable, oids, strict=True)
    for name in bases:
        if commits[name] is None:
            refs = repository.git(
                "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags"
            )
            hint = did_you_mean(name, refs.text.splitlines(), lead="; ")
            raise InvalidInput("no-base", f"there is no commit {name}{hint}", fix=("git branch --list",))


def require_commands(checks: Mapping[str, str]) -> None:
    """Raise `InvalidInput` for a check that is empty, or whose quotes have no end."""
    for name, command in checks.items():
        try:
            words = shlex.split(command, comments=True)
        except ValueError as error:
            raise InvalidInput("check", f"the check {name} is not a command: {command}", why=str(error)) from error
        if not words:
            raise InvalidInput("check", f"the check {name} is empty", fix=('--check "COMMAND"',))
        if all(re.match(r"[A-Za-z_]\w*=", word) for word in words):
            message = f"the check {name} sets a variable and runs nothing: {command}"
            raise InvalidInput("check", message, fix=('--check "COMMAND"',))


def require_place(repository: Repository, task: Task, file: str, line: int) -> None:
    """Raise `InvalidInput` for a file that a task's branch does not have, or a line that the file does not have.

    A file that the task deletes is one of its base.
    """
    commits = [commit for commit in (task.tip, task.base) if commit]
    if not file or not commits:
        return
    contents = (repository.file(commit, file) for commit in commits)
    content = next((content for content in contents if content is not None), None)
    if content is None:
        names = repository.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commits[0]).fields()
        if file in names and not line:
            return  # a submodule
        if file in names:
            raise InvalidInput("no-such-line", f"{file} is a submodule: it has no lines here")
        hint = did_you_mean(file, names, lead="; ")
        raise InvalidInput(
            "no-such-file", f"there is no {file} on the branch of {task.id}{hint}", fix=(f"orchestrate diff {task.id}",)
        )
    lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    if line > lines:
        raise InvalidInput("no-such-line", f"{file} has {lines} lines, and no line {line}")
