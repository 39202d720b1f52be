"""Signals of what kind of file was changed: modes, links, hooks, CI, generated files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from gitorch.config import Config
from gitorch.flow.review.signals.rules import is_in, is_in_any_case, signal
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_changes import FileChange
from gitorch.git.diff.file_patches import EXECUTABLE, LINK, NO_FILE, SUBMODULE, FilePatch
from gitorch.git.diff.patch_lines import PatchLine
from gitorch.model import globs
from gitorch.model.task import Task

_HOLDS_CREDENTIALS = re.compile(
    r"(^|/)(\.env(\.(?!example|sample|template|dist|defaults?$)[^/]*)?|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.htpasswd"
    r"|\.git-credentials|credentials(\.json|\.ini)?|[^/]*\.(p12|pfx|jks|keystore|kdbx|ppk))$"
)
_LARGE = 400
_LISTED = {
    "ci": ("ci-changed", "the continuous integration was changed"),
    "owners": ("owners-changed", "who has to approve which files was changed"),
    "hooks": ("hook-changed", "a git hook was changed"),
    "attributes": ("attributes-changed", "attributes of files were changed"),
    "ignores": ("ignore-changed", "new files that it names are in no commit"),
    "instructions": ("instructions-changed", "agents read this as instructions"),
    "autorun": ("runs-by-itself", "an editor, a shell, a test runner or a package manager runs its commands by itself"),
    "run_first": ("runs-first", "pytest or an installation runs it before all else"),
    "sources": ("source-changed", "where git or a package manager downloads from was changed"),
    "credits": ("credits-changed", "whom git blames for a change was changed"),
    "schemas": ("schema-changed", "a migration or an interface description was changed"),
}
_CONFLICT_MARKS = ("<<<<<<< ", ">>>>>>> ")
_WORKFLOW_ENDS = ("yml", "yaml")
_SUBMODULES = ".gitmodules"


def path_signals(change: FileChange, config: Config, task: Task) -> list[RiskSignal]:
    """Return the signals of one changed file that its path alone gives."""
    signals = []
    if change.status != "D" and _HOLDS_CREDENTIALS.search(change.path):
        signals.append(signal("credential-file", "such a file often holds credentials", change.path))
    if globs.matches(change.path, config.review.sensitive):
        signals.append(signal("sensitive", "sensitive", change.path))
    if task.spec.paths and not globs.matches(change.path, task.spec.paths):
        signals.append(signal("outside-paths", "outside the task's paths", change.path))
    if change.added is None:
        signals.append(signal("binary", "binary", change.path))
    return signals


def file_signals(file: FilePatch) -> Iterator[RiskSignal]:
    """Yield the signals of what a changed file is."""
    line = file.hunks[0].new if file.hunks and file.new_mode != NO_FILE else 0
    for name, (kind, text) in _LISTED.items():
        if is_in_any_case(file.path, name) or is_in_any_case(file.old_path, name):
            yield signal(kind, text, file.path, line)
    if file.is_rename and is_in(file.old_path, "ci") and file.path.rpartition(".")[2] not in _WORKFLOW_ENDS:
        yield signal("check-weakened", f"renamed from {file.old_path}: it does not run under this name", file.path)
    if mark := _conflict_mark(file):
        yield signal("conflict-marker", "the markers of a conflict are left in it", file.path, mark.new or 0)
    if _is_white_space(file):
        yield signal("white-space", "only white space was changed", file.path, line)
    if SUBMODULE in (file.old_mode, file.new_mode):
        yield signal("submodule", f"a submodule was {_verb(file)}", file.path)
    elif file.path == _SUBMODULES:
        yield signal("submodule", "submodules were configured", file.path, line)
    if file.new_mode == LINK:
        yield _link(file)
    modes = (file.old_mode, file.new_mode)
    if EXECUTABLE in modes and modes[0] != modes[1] and LINK not in modes and NO_FILE not in modes:
        text = "became executable" if file.new_mode == EXECUTABLE else "is no longer executable"
        yield signal("mode-changed", text, file.path)


def size_signals(changes: Sequence[FileChange]) -> Iterator[RiskSignal]:
    """Yield the signals of a branch's size, and of its generated files."""
    generated = [change for change in changes if is_in(change.path, "generated")]
    written = [change for change in changes if not is_in(change.path, "generated")]
    size = sum((change.added or 0) + (change.removed or 0) for change in written)
    if size > _LARGE:
        yield signal("large", f"{size} lines")
    if generated:
        count = f"{len(generated)} generated files, such as" if len(generated) > 1 else "a generated file"
        yield signal("generated", count, generated[0].path)


def _conflict_mark(file: FilePatch) -> PatchLine | None:
    """Return the first added line that begins a conflict, if one ends there, too."""
    starts, ends = ([line for line in file.added if line.text.startswith(mark)] for mark in _CONFLICT_MARKS)
    return starts[0] if starts and ends else None


def _is_white_space(file: FilePatch) -> bool:
    """Return whether the lines of a changed file differ only in white space and line ends."""
    if NO_FILE in (file.old_mode, file.new_mode) or not file.hunks:
        return False
    before, after = ("".join("".join(line.text.split()) for line in lines) for lines in (file.removed, file.added))
    return before == after


def _verb(file: FilePatch) -> str:
    if file.old_mode != SUBMODULE:
        return "added"
    return "removed" if file.new_mode != SUBMODULE else "moved to another commit"


def _link(file: FilePatch) -> RiskSignal:
    target = file.added[-1].text if file.added else ""
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
    if target.startswith("/") or resolved.split("/")[0] == "..":
        return signal("link-outside", f"a symbolic link out of the repository, to {target}", file.path)
    return signal("symlink", f"a symbolic link to {target}", file.path)
