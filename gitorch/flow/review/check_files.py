"""Signals of changed files that a check runs: its command is that of the base, but what it names is the branch's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitorch.flow.review.changed_checks import OWN_FILES, ReadText
from gitorch.flow.review.rules import is_in, signal
from gitorch.flow.review.settings_diff import read_settings
from gitorch.flow.review.values import RiskSignal
from gitorch.git.file_patches import NO_FILE, FilePatch

_CHECKS = "checks."
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
        if not key.startswith(_CHECKS) or not isinstance(command, str):
            continue
        for path in sorted(_run_by(command, before) & changed.keys()):
            file = changed[path]
            what = "was deleted" if file.new_mode == NO_FILE else "was changed"
            line = file.hunks[0].new if file.hunks and file.new_mode != NO_FILE else 0
            yield signal(
                "check-script", f"the check {key.removeprefix(_CHECKS)} runs it, and it {what}", file.path, line
            )


def _run_by(command: str, before: ReadText) -> set[str]:
    """Return the paths that a command names, and the scripts that these files name."""
    words = _paths(command)
    named = {*words, *(_IMPLIED[word] for word in words if word in _IMPLIED)}
    scripts = (_paths(text) for path in named if len(text := before(path)) <= _MAX_TEXT)
    return words.union(*({path for path in paths if _SCRIPTS.search(path)} for paths in scripts))


def _paths(text: str) -> set[str]:
    return {word.removeprefix("./") for word in _WORDS.findall(text)}
