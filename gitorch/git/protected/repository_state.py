"""What else of a repository and its user a run must not change: reflogs, worktrees, gitorch's own refs, git's settings.

The names are those of `fingerprint.Fingerprint`, and can be merged with it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gitorch.git.protected import fingerprint
from gitorch.git.protected.file_state import digest, printable
from gitorch.git.protected.refs_and_settings import Inventory, Setting
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktree_list import Worktree, find, linked_folders, list_entries
from gitorch.model.naming import NOTES, OWN_REFS

_GITS_OWN = ("index", "COMMIT_EDITMSG")
"""Of a worktree's git folder: compared by what git says of it, or written by git as it likes."""

_GITS_OWN_SUFFIXES = (".lock", ".new")
_LONGEST_REF = 1024
_OF_THE_MACHINE = "/etc/gitconfig"
_OF_THE_REPOSITORY = ("local", "worktree")
_FILE_SETTING = re.compile(r"include\.path|includeif\..*\.path|core\.(attributes|excludes)file", re.DOTALL)
_OBJECT_ID = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
_GITS_OWN_PREFIXES = ("sharedindex.", "fsmonitor--daemon")


def reflogs(repository: Repository, movable: Iterable[str]) -> dict[str, str]:
    """Return the states of the reflogs of refs that are not gitorch's, without reading them."""
    shared = repository.common_dir
    patterns = (OWN_REFS, NOTES, *movable)
    logs = {}
    for path in _files_below(shared / "logs" / "refs"):
        name = printable(os.path.relpath(path, shared / "logs"))
        if not fingerprint.is_covered(name, patterns):
            status = path.lstat()
            # the change time: whoever sets the others cannot set this one
            logs[f"logs/{name}"] = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return logs


def misplaced(repository: Repository, present: Inventory) -> dict[str, str]:
    """Return the states of files among the refs that git passes over, because they are none: they block names."""
    shared = repository.common_dir
    states = {}
    for path in _files_below(shared / "refs"):
        name = printable(os.path.relpath(path, shared))
        if name not in present.refs and not name.endswith(_GITS_OWN_SUFFIXES) and not _is_value(path):
            states[f"{name}, which is no ref,"] = digest(path)
    return {name: state for name, state in states.items() if state}


def _is_value(path: Path) -> bool:
    """Return whether a file is an object id, as of a ref: it may just have been written.

    A symbolic ref that git does not tell of leads nowhere, or to itself.
    """
    try:
        content = path.read_bytes()[:_LONGEST_REF].strip() if path.is_file() and not path.is_symlink() else b""
    except OSError:
        return False
    return bool(_OBJECT_ID.fullmatch(content))


def settings(variables: Mapping[str, str], present: Sequence[Setting] = ()) -> dict[str, str]:
    """Return the states of git's configuration outside of the repository: the user's own, and the machine's.

    `present` are the settings in force: with them, also of each file that one of them is from, includes (whether its
    condition holds or not), or names as attributes or as patterns to ignore.
    """
    home = Path(variables.get("HOME", "/nonexistent"))
    xdg = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [Path(variables["GIT_CONFIG_GLOBAL"])] if variables.get("GIT_CONFIG_GLOBAL") else [home / ".gitconfig"]
    paths += [xdg / "git" / name for name in ("config", "attributes", "ignore")]
    paths.append(Path(variables.get("GIT_CONFIG_SYSTEM") or _OF_THE_MACHINE))
    named = {printable(str(path)): path for path in paths}
    for path in _named_files(present, home):
        if path not in paths:
            named[f"{printable(str(path))}, which git's settings name,"] = path
    return {name: state for name, path in named.items() if (state := digest(path))}


def _named_files(present: Sequence[Setting], home: Path) -> Iterator[Path]:
    """Yield the files that settings are from, outside of the repository, and those that they name."""
    for setting in present:
        file = Path(setting.origin.removeprefix("file:")) if setting.origin.startswith("file:") else None
        if file is not None and file.is_absolute() and setting.scope not in _OF_THE_REPOSITORY:
            yield file
        if setting.value and _FILE_SETTING.fullmatch(setting.key):
            named = Path(setting.value.replace("~", str(home), 1) if setting.value.startswith("~/") else setting.value)
            if named.is_absolute() or (file is not None and file.is_absolute()):
                yield Path(os.path.normpath(named if file is None else file.parent / named))


def config_keys(repository: Repository, present: Inventory) -> dict[str, str]:
    """Return digests of the values in the repository's own configuration, by key: a value can be a secret."""
    origin = f"file:{repository.common_dir / 'config'}"
    values: dict[str, str] = {}
    for setting in present.settings:
        if setting.origin == origin:
            name = f"setting {printable(setting.key)}"
            values[name] = values.get(name, "") + setting.value
    return {name: hashlib.sha256(os.fsencode(value)).hexdigest() for name, value in values.items()}


def name_settings(lines: Sequence[str]) -> tuple[str, ...]:
    """Return descriptions of differences with the settings that changed in the line of the configuration file."""
    keys = [line.split(" ")[1] for line in lines if line.startswith("setting ")]
    others = [line for line in lines if not line.startswith("setting ")]
    summary = f"config changed: {', '.join(keys)}"
    return tuple(summary if keys and line == "config changed" else line for line in others)


def other_worktrees(repository: Repository, own: set[Path], present: Inventory) -> dict[str, str]:
    """Return the states of the user's linked worktrees: all but those that gitorch made."""
    filters = fingerprint.without_filters(present.settings)
    digests: dict[str, str] = {}
    for path in foreign_worktrees(repository, own):
        digests |= worktree(repository, path, filters)
    return digests


def foreign_worktrees(repository: Repository, own: set[Path]) -> list[Path]:
    """Return the folders of the user's linked worktrees: all but those that gitorch made."""
    if own.issuperset(linked_folders(repository)):
        return []
    return [entry.path for entry in list_entries(repository)[1:] if entry.path not in own]


def worktree_label(path: Path) -> str:
    """Return what a line about a linked worktree begins with."""
    return f"worktree {printable(str(path))}"


def worktree(repository: Repository, path: Path, filters: Sequence[str] | None = None) -> dict[str, str]:
    """Return the state of one linked worktree: its git folder, its index entries, and files that differ from them.

    `filters` are those of `fingerprint.checkout`.
    """
    name = worktree_label(path)
    pointer = {f"{name}: .git": state} if (state := digest(path / ".git")) else {}
    linked = find(repository, path)
    if linked is None:
        return pointer
    files = (os.path.relpath(file, linked.admin) for file in _files_below(linked.admin))
    digests = {f"{name}: {printable(file)}": digest(linked.admin / file) for file in files if not _is_gits_own(file)}
    digests |= pointer | {f"{name}: {file}": state for file, state in _files(repository, linked, filters).items()}
    return {key: digest for key, digest in digests.items() if digest}


def _files(repository: Repository, linked: Worktree, filters: Sequence[str] | None) -> dict[str, str]:
    try:
        return fingerprint.checkout(repository, linked.path, linked.admin, filters)
    except GitFailed as error:
        return {"readable by git": hashlib.sha256(error.why.encode()).hexdigest()}


def _is_gits_own(file: str) -> bool:
    top = file.partition(os.sep)[0]
    return top in _GITS_OWN or file.startswith(_GITS_OWN_PREFIXES) or file.endswith(_GITS_OWN_SUFFIXES)


def _files_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)
