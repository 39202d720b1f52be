"""Signals of changed files that a check runs: its command is that of the base, but what it names is the branch's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from gitorch.flow.review.signals.recipes import CHECKS, OWN_FILES, ReadText
from gitorch.flow.review.signals.rules import is_in, signal
from gitorch.flow.review.signals.settings_diff import read_settings
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_changes import FileChange
from gitorch.git.diff.file_patches import NO_FILE, FilePatch

_IMPLIED = {
    "make": "Makefile",
    "just": "justfile",
    "npm": "package.json",
    "yarn": "package.json",
    "pnpm": "package.json",
}
"""The file with the commands of a program that a check calls without naming it."""

_WORDS = re.compile(r"[\w./+-]+")
_SCRIPTS = re.compile(r"(?:^|/)[^./]+$|\.(?:sh|bash|zsh|ps1|bat|cmd|mk)$")
_MAX_TEXT = 100_000
"""A longer file is no list of commands."""


def check_file_signals(files: Sequence[FilePatch], before: ReadText) -> Iterator[RiskSignal]:
    """Yield a signal for each changed file that a check of the repository names, or a script that it calls names."""
    changed = {file.old_path: file for file in files if file.old_mode != NO_FILE and not is_in(file.old_path, "tests")}
    if not changed:
        return
    settings = read_settings(OWN_FILES[0], before(OWN_FILES[0])) or {}
    for key, command in settings.items():
        if not key.startswith(CHECKS) or not isinstance(command, str):
            continue
        for path in sorted(_run_by(command, before) & changed.keys()):
            file = changed[path]
            what = "was deleted" if file.new_mode == NO_FILE else "was changed"
            line = file.hunks[0].new if file.hunks and file.new_mode != NO_FILE else 0
            yield signal(
                "check-script", f"the check {key.removeprefix(CHECKS)} runs it, and it {what}", file.path, line
            )


def personal_check_signals(
    checks: Mapping[str, str], changes: Sequence[FileChange], known: Collection[str]
) -> Iterator[RiskSignal]:
    """Yield a signal for each changed file that a check of the user or the task names; `known` have one."""
    changed = {
        entry.path: "was deleted" if entry.status == "D" else "was changed"
        for change in changes
        for entry in change.as_paths()
        if entry.status != "A" and not is_in(entry.path, "tests") and entry.path not in known
    }
    for name, command in checks.items():
        for path in sorted(_paths(command) & changed.keys()):
            yield signal("check-script", f"the check {name} runs it, and it {changed.pop(path)}", path)


def _run_by(command: str, before: ReadText) -> set[str]:
    """Return the paths that a command names, and the scripts that these files name."""
    words = _paths(command)
    named = {*words, *(_IMPLIED[word] for word in words if word in _IMPLIED)}
    scripts = (_paths(text) for path in named if len(text := before(path)) <= _MAX_TEXT)
    return words.union(*({path for path in paths if _SCRIPTS.search(path)} for paths in scripts))


def _paths(text: str) -> set[str]:
    return {word.removeprefix("./") for word in _WORDS.findall(text)}
