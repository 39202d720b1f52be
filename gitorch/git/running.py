"""Whether a git process is running in a repository that may hold one of its locks."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

from gitorch.git.repository import Repository
from gitorch.git.worktree_list import list_entries

_READERS = ("cat-file", "merge-tree", "diff-tree", "log", "show", "diff", "blame", "grep")
"""Commands that run for long and take no lock: our batch processes, and what a person reads in a pager."""
_OPTIONS_WITH_VALUE = ("-C", "-c", "--git-dir", "--work-tree", "--namespace")


def is_git_running(repository: Repository) -> bool:
    """Return whether a git that may hold a lock is running in this repository, as far as can be seen."""
    folders = {os.path.realpath(entry.path) for entry in list_entries(repository)}
    folders.add(os.path.realpath(repository.common_dir))
    return any(_works_in(process, sorted(folders)) for process in psutil.process_iter())


def _works_in(process: psutil.Process, folders: Sequence[str]) -> bool:
    try:
        if not process.name().startswith("git") or process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = process.cmdline()
        if _subcommand(words) in _READERS:
            return False
        mentioned = (process.cwd(), *words, process.environ().get("GIT_DIR", ""))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # another user's process, which may work anywhere
    return any(_is_below(word, folder) for word in mentioned for folder in folders)


def _subcommand(words: Sequence[str]) -> str:
    """Return the sub-command of a git command line."""
    arguments = iter(words[1:])
    for word in arguments:
        if word in _OPTIONS_WITH_VALUE:
            next(arguments, None)
        elif not word.startswith("-"):
            return word
    return ""


def _is_below(word: str, folder: str) -> bool:
    path = word.partition("=")[2] if word.startswith("--") else word
    return path == folder or path.startswith(f"{folder}{os.sep}")
