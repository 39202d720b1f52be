"""The gate for commits that an agent made: what they must not contain, found out before anything checks them out."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import cache
from pathlib import Path

import msgspec

from gitorch.git.repository import BatchProcess, Repository
from gitorch.model.naming import Oid
from gitorch.model.visible import readable


class CommitLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the work of one attempt may hold at most: entries and depth of a tree, commits, changes, bytes of a file."""

    entries: int = 1_000_000
    depth: int = 256
    commits: int = 10_000
    changes: int = 200_000
    file_bytes: int = 512 << 20


LIMITS = CommitLimits()

_GITLINK, _SYMLINK, _TREE = "160000", "120000", "40000"
# characters that file systems of macOS leave out when they compare names
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_LONGEST_LINK = 4_096
_RUNS = re.compile(r"(ext|fd)::", re.IGNORECASE)
"""Addresses with which git runs a program, or takes an open file."""
_MODES = frozenset(("100644", "100755", "100664", _SYMLINK, _TREE, _GITLINK))
"""What git makes, and what its first versions made of a file that a group may write."""


def problem(repository: Repository, base: Oid, tip: Oid, limits: CommitLimits = LIMITS) -> str:
    """Return why the commits between `base` and `tip` are refused, or an empty text.

    Trees are counted before they are compared: one of 300 bytes can stand for a billion files.
    """
    counts = repository.git("rev-list", "--left-right", "--count", f"{base}...{tip}").text
    behind, ahead = map(int, counts.split())
    if behind:
        return "the history before the task's base was rewritten"
    if ahead > limits.commits:
        return f"there are {ahead} commits, more than {limits.commits}"
    trees = repository.git("rev-list", "--no-commit-header", "--format=%T", f"{base}..{tip}").text.split()
    return tree_problem(repository, base, trees, limits) if trees else ""


def tree_problem(repository: Repository, base: Oid, trees: Sequence[str], limits: CommitLimits = LIMITS) -> str:
    """Return why trees are refused, or an empty text: the last commit's tree comes first, and its changes count."""
    base_tree = repository.tree(base)
    distinct = [tree for tree in dict.fromkeys(trees) if tree != base_tree]
    if not distinct:
        return ""
    return _count_problem(repository, base_tree, distinct, limits) or _changes_problem(
        repository, base_tree, trees[0], limits
    )


def content_problem(repository: Repository, base: Oid, tip: Oid, limits: CommitLimits = LIMITS) -> str:
    """Return why the files of a commit are refused, or an empty text; links to repositories may be new."""
    base_tree, tree = repository.tree(base), repository.tree(tip)
    if tree == base_tree:
        return ""
    return _count_problem(repository, base_tree, [tree], limits) or _changes_problem(
        repository, base_tree, tree, limits, refuses_repositories=False
    )


def files_problem(top: Path, paths: Iterable[str], limits: CommitLimits = LIMITS) -> str:
    """Return why git cannot hold files that are not committed, or an empty text; none of them is opened."""
    for path in paths:
        try:
            status = (top / path).lstat()
        except OSError:
            continue  # it was deleted
        if stat.S_ISREG(status.st_mode) and status.st_size > limits.file_bytes:
            return f"{_shown(path)} has {status.st_size >> 20} MB, more than {limits.file_bytes >> 20}"
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return f"{_shown(path)} is neither a file nor a folder nor a symbolic link"
    return ""


def _count_problem(repository: Repository, base_tree: str, trees: Sequence[str], limits: CommitLimits) -> str:
    @cache
    def known() -> Set[str]:
        folders = repository.git("ls-tree", "-r", "-d", "-z", base_tree).fields()
        return {base_tree, *(entry.split(None, 3)[2] for entry in folders)}

    process = repository.start_batch("cat-file", "--batch")
    try:
        walk = _Walk(process, limits, known)
        if problem := next((problem for tree in trees if (problem := walk.problem(tree))), ""):
            return problem
    finally:
        process.close()
    base_modules = repository.object_ids(f"{base_tree}:.gitmodules")[0] if walk.modules else None
    return next(
        (problem for oid in walk.modules if oid != base_modules and (problem := _modules_problem(repository, oid))), ""
    )


class _Walk:
    """Counts the entries below trees; each distinct tree is read once."""

    def __init__(self, process: BatchProcess, limits: CommitLimits, known: Callable[[], Set[str]]) -> None:
        self._process = process
        self._known = known
        self._limits = limits
        self._counts: dict[str, int] = {}
        self._problem = ""
        self.modules: dict[str, None] = {}
        """The files that git, on some file system, takes for `.gitmodules`."""

    def problem(self, tree: str) -> str:
        count = self._count(tree, 1)
        if not self._problem and count > self._limits.entries:
            self._problem = f"a tree stands for {count} files, more than {self._limits.entries}"
        return self._problem

    def _count(self, tree: str, depth: int) -> int:
        if tree in self._counts:
            return self._counts[tree]
        if depth > self._limits.depth:
            self._problem = f"folders are more than {self._limits.depth} levels deep"
        if self._problem:
            return 0
        total = 0
        before, names = b"", set[str]()
        for mode, name, oid in self._entries(tree):
            place = _place(mode, name)
            if not self._problem:
                odd = (
                    ""
                    if place > before and name not in names
                    else f"a tree has {_shown(name)} twice, or not in its place"
                )
                self._problem = _name_problem(name) or self._new_problem(tree, odd or _mode_problem(mode, name))
            if is_modules_name(name):
                self._problem = self._problem or _modules_mode_problem(mode, name)
                self.modules[oid] = None
            before = place
            names.add(name)
            total += 1 + (self._count(oid, depth + 1) if mode.lstrip("0") == _TREE else 0)
        self._counts[tree] = total
        return total

    def _new_problem(self, tree: str, problem: str) -> str:
        """Return a problem, unless the base has the same tree: an old history may have what no git makes today."""
        return problem if problem and tree not in self._known() else ""

    def _entries(self, tree: str) -> Iterator[tuple[str, str, str]]:
        self._process.send(f"{tree}\n".encode())
        size = int(self._process.read_line().split()[2])
        content = self._process.read(size + 1)[:-1]
        width = len(tree) // 2
        place = 0
        while place < size:
            space = content.index(b" ", place)
            end = content.index(b"\0", space)
            name = content[space + 1 : end].decode("utf-8", "surrogateescape")
            yield content[place:space].decode(), name, content[end + 1 : end + 1 + width].hex()
            place = end + 1 + width


def _name_problem(name: str) -> str:
    """Return why a name is refused that git itself never makes, though it may read it."""
    if name in ("", ".", "..") or "/" in name:
        return f"there is a path with the part {name!r}, which is no name of a file"
    if is_git_name(name):
        return f"there is a path with the part {name!r}, which git uses itself"
    return ""


def _mode_problem(mode: str, name: str) -> str:
    return "" if mode.lstrip("0") in _MODES else f"{_shown(name)} has the mode {mode}"


def _place(mode: str, name: str) -> bytes:
    """Return what git sorts the entries of a tree by: it finds none that is elsewhere, and shows another one of two."""
    return os.fsencode(name) + (b"/" if mode.lstrip("0") == _TREE else b"\0")


def is_git_name(name: str) -> bool:
    """Return whether some file system takes a name for `.git`, whatever its letters and end."""
    plain = _IGNORED.sub("", name).lower()
    # NTFS drops dots and spaces at the end, and what follows a colon is a stream of the same file
    plain = plain.partition(":")[0].rstrip(". ")
    return plain == ".git" or re.fullmatch(r"git~[0-9]", plain) is not None


def is_modules_name(name: str) -> bool:
    """Return whether some file system takes a name for `.gitmodules`."""
    plain = _IGNORED.sub("", name).lower().partition(":")[0].rstrip(". ")
    return plain == ".gitmodules" or re.fullmatch(r"gitmod~[1-4]|gi7eba~[0-9]", plain) is not None


def _modules_mode_problem(mode: str, name: str) -> str:
    return "" if mode.startswith("100") else f"{_shown(name)} names submodules, and is no file"


def _modules_problem(repository: Repository, blob: str) -> str:
    """Return why a `.gitmodules` is refused: git has run what such a file says, and a checkout may do so again.

    The check of a fetch is not enough: after git has refused it once, the objects are there, and the next one passes.
    """
    answer = repository.git("config", "--list", "-z", f"--blob={blob}", ok=range(256))
    if answer.code != 0:
        return ".gitmodules cannot be read by git"
    for entry in answer.fields():
        key, _, value = entry.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section != "submodule":
            continue
        if ".." in name.replace("\\", "/").split("/"):
            return f".gitmodules has a submodule with the name {_shown(name)}"
        is_option = variable in ("url", "path") and value.startswith("-")
        runs = (variable == "update" and value.startswith("!")) or (variable == "url" and _RUNS.match(value))
        if is_option or runs or (variable == "url" and "\n" in value):
            return f".gitmodules has {variable} = {_shown(value)}, which git could take for a command or an option"
    return ""


def _changes_problem(
    repository: Repository, base_tree: str, tree: str, limits: CommitLimits, *, refuses_repositories: bool = True
) -> str:
    fields = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", base_tree, tree).fields()
    changes = [(change.split(), path) for change, path in zip(fields[::2], fields[1::2], strict=True)]
    if len(changes) > limits.changes:
        return f"{len(changes)} files are changed, more than {limits.changes}"
    for (old_mode, mode, *_), path in changes:
        if refuses_repositories and mode == _GITLINK and old_mode != f":{_GITLINK}":
            return f"{_shown(path)} is a link to another repository, whose commits are nowhere else"
    blobs = [(words[3], words[1], path) for words, path in changes if words[1] not in ("000000", _GITLINK)]
    request = "".join(f"{oid}\n" for oid, _, _ in blobs).encode()
    answers = repository.git("cat-file", "--batch-check=%(objectsize)", input=request).text.split("\n")
    for size, (_, _, path) in zip(answers, blobs, strict=False):
        if size.isdigit() and int(size) > limits.file_bytes:
            return f"{_shown(path)} has {int(size) >> 20} MB, more than {limits.file_bytes >> 20}"
    return _links_problem(repository, [(oid, path) for oid, mode, path in blobs if mode == _SYMLINK])


def _links_problem(repository: Repository, links: Sequence[tuple[str, str]]) -> str:
    entries = repository.read_objects(oid for oid, _ in links)
    for entry, (_, path) in zip(entries, links, strict=True):
        target = (entry.content or b"")[: _LONGEST_LINK + 1].decode("utf-8", "surrogateescape")
        if leaves(path, target):
            return f"{_shown(path)} is a symbolic link that leads out of the worktree: {_shown(target)}"
    return ""


def leaves(path: str, target: str) -> bool:
    """Return whether a symbolic link at a path of a tree can lead out of that tree.

    A `..` after a name counts as one that does: the name may be a link, so that `..` is another folder than it seems.
    """
    if target.startswith("/") or len(target) > _LONGEST_LINK:
        return True
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = next((place for place, part in enumerate(parts) if part != ".."), len(parts))
    return up > path.count("/") or ".." in parts[up:]


def _shown(path: str) -> str:
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in readable(path)[:200])
