"""Checks of what a person types, when it is typed: bases, commands, and places in files. Errors name the near miss."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitorch.errors import InvalidInput, did_you_mean
from gitorch.git.repository import Repository
from gitorch.git.typed_paths import from_top
from gitorch.model.naming import NOT_UTF8_FIX, is_utf8
from gitorch.model.task import Task

_SHELL_WORDS = frozenset(
    (
        *("alias", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "set", "source"),
        *("time", "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while"),
    )
)
"""Words that a shell understands by itself."""


def require_bases(repository: Repository, names: Iterable[str]) -> None:
    """Raise `InvalidInput` for a base that is no commit; it names the branch or tag that was meant."""
    bases = [*dict.fromkeys(filter(None, names))]
    commits = dict.fromkeys(bases)
    resolvable = [name for name in bases if name.isprintable() and not name.startswith("-")]
    if resolvable:
        oids = repository.object_ids(*(f"{name}^{{commit}}" for name in resolvable))
        commits |= zip(resolvable, oids, strict=True)
    for name in bases:
        require_utf8(name)
        if commits[name] is None:
            refs = repository.git(
                "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags"
            )
            hint = did_you_mean(name, refs.text.splitlines(), lead="; ")
            raise InvalidInput("no-base", f"there is no commit {name}{hint}", fix=("git branch --list",))


def require_utf8(base: str) -> None:
    """Raise `InvalidInput` for a base whose name no task can hold."""
    if not is_utf8(base):
        raise InvalidInput("no-base", f"the name of the base is not UTF-8: {base}", fix=(NOT_UTF8_FIX,))


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


def missing_programs(checks: Mapping[str, str]) -> list[str]:
    """Return a warning for each check that begins with a program that is not on PATH; it names the near miss.

    Not an error: the preparation of a worktree may install it.
    """
    words = {name: command.split()[0] for name, command in checks.items()}
    missing = {
        name: word
        for name, word in words.items()
        if re.fullmatch(r"[A-Za-z][\w.+-]*", word) and word not in _SHELL_WORDS and not shutil.which(word)
    }
    programs = _programs() if missing else []
    return [
        f"the check {name}: there is no program {word} on PATH{did_you_mean(word, programs, lead='; ')}"
        for name, word in missing.items()
    ]


def _programs() -> list[str]:
    folders = [Path(folder) for folder in os.get_exec_path() if Path(folder).is_dir()]
    return sorted({file.name for folder in folders for file in folder.iterdir()})


def require_globs(patterns: Iterable[str]) -> None:
    """Raise `InvalidInput` for a path glob that can match no file of a repository."""
    for pattern in patterns:
        if pattern.startswith("/"):
            message = f"paths: {pattern} begins with /: paths start at the root of the repository"
            raise InvalidInput("paths", message, fix=(f"--paths '{pattern.lstrip('/')}'",))


def typed_file(repository: Repository, task: Task, file: str, folder: Path) -> str:
    """Return a file of a task's branch or base that a person typed in a folder, as a path from the top."""
    commits = [commit for commit in (task.tip, task.base) if commit]

    def is_there(path: str) -> bool:
        listings = (
            repository.git("ls-tree", "-z", "--full-tree", commit, "--", path, ok=(0, 128)) for commit in commits
        )
        return any(listing.code == 0 and listing.stdout for listing in listings)

    return from_top(file, folder, is_there) if file and commits else file


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
