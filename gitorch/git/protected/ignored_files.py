"""What `git status` does not report about a checkout: ignored files, permissions, empty folders, pipes and devices.

A folder is *opaque* if git says nothing of the files in it: one that is ignored, a submodule, a repository inside. A
file is, if it is ignored or flagged as unchanged. Of what is opaque, the change time is compared, which no program can
set; of everything else, only what git does not compare.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from gitorch.git.protected import index_listing
from gitorch.git.protected.file_state import printable
from gitorch.git.repository import GitFailed, Repository
from gitorch.model import globs

MOST_ENTRIES = 100_000
"""How many files and folders are looked at: they take a third of a second."""

_MOST_NAMED = 5
"""How many changes of one kind have a line each."""
_NAMED = 3
"""How many of more are named in their common line."""

_TYPE = 0xFFFF
_OPAQUE = 1 << 16
_TIME_SHIFT = 17
_GIT = ".git"
_HISTORY = frozenset(("objects", "logs", "refs", "lfs", "index", "COMMIT_EDITMSG", "FETCH_HEAD", "ORIG_HEAD"))
"""What git itself writes in a repository inside."""

_SPECIAL = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_IGNORED = ("--others", "--ignored", "--exclude-standard", "--directory")

_Verb = Literal["appeared", "disappeared", "changed", "mode"]


class Checkout(msgspec.Struct, frozen=True):
    """A checkout to read: its folder, its git folder, and how it is called in a line (empty: the user's own)."""

    folder: Path
    git_dir: Path
    label: str = ""


class _Folder(msgspec.Struct, frozen=True):
    """The entries of a folder: mode, whether opaque, and of what is opaque the change time, in one number each.

    `root` is the topmost opaque folder above, itself included; empty where the folder is not opaque.
    """

    entries: Mapping[str, int]
    root: str = ""


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of some checkouts, by path. `is_complete`: there were not more than are looked at, which is `limit`.

    `opaque` are the paths that git said are, or said before: what an agent does to a `.gitignore` hides nothing.
    """

    checkouts: tuple[Checkout, ...] = ()
    folders: Mapping[str, _Folder] = {}
    opaque: frozenset[str] = frozenset()
    time_ns: int = 0
    is_complete: bool = True
    limit: int = 0

    @property
    def entries(self) -> int:
        """How many files and folders were looked at."""
        return sum(len(folder.entries) + 1 for folder in self.folders.values())


class _Change(msgspec.Struct, frozen=True):
    """One difference: `kind` is `file`, `folder`, `pipe`, ..., `root` the opaque folder that it is in."""

    path: str
    kind: str
    verb: _Verb
    root: str = ""


def read(
    repository: Repository,
    checkouts: Sequence[Checkout],
    before: Unseen,
    *,
    unwatched: Sequence[str] = (),
    skip: Collection[Path] = (),
    limit: int = MOST_ENTRIES,
) -> Unseen:
    """Return the state of everything that git does not tell of.

    `before` is what was read last time, `unwatched` are globs of opaque paths to leave out, `skip` paths not to enter.
    What is near the top of the first checkout is looked at first.
    """
    now = time.time_ns()
    opaque = before.opaque.union(
        f"{checkout.folder}/{path}" for checkout in checkouts for path in _opaque(repository, checkout)
    )
    walk = _Walk(checkouts, opaque, frozenset(map(str, skip)), unwatched)
    is_complete = walk.read(limit)
    return Unseen(
        checkouts=tuple(checkouts),
        folders=walk.folders,
        opaque=opaque,
        time_ns=now,
        is_complete=is_complete,
        limit=limit,
    )


def _opaque(repository: Repository, checkout: Checkout) -> list[str]:
    """Return the paths in a checkout that git ignores, without what is in an ignored folder, and those it passes over.

    Nothing where git fails: whoever asks it about the checkout says so. Runs no program that a configuration names.
    """
    env = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    paths: list[bytes] = []
    with contextlib.suppress(GitFailed):
        answer = repository.git("ls-files", "-z", *_IGNORED, cwd=checkout.folder, git_dir=checkout.git_dir, env=env)
        paths += answer.stdout.split(b"\0")
        paths += index_listing.read(repository, checkout.folder, checkout.git_dir).flagged
    return [os.fsdecode(path).rstrip("/") for path in paths if path]


class _Walk:
    """Reads folders, nearest to the top first: all that git has, then what it ignores."""

    def __init__(
        self, checkouts: Sequence[Checkout], opaque: Collection[str], skip: Collection[str], unwatched: Sequence[str]
    ) -> None:
        self.folders: dict[str, _Folder] = {}
        self._checkouts, self._opaque, self._unwatched = checkouts, opaque, unwatched
        self._tops = [str(checkout.folder) for checkout in checkouts]
        self._skip = {*skip, *self._tops}  # one may be in another one

    def read(self, limit: int) -> bool:
        """Read until there are this many entries; return whether that was all."""
        ordinary, hidden = deque(self._tops), deque[tuple[str, str]]()
        count = 0
        while (ordinary or hidden) and count < limit:
            path, root = (ordinary.popleft(), "") if ordinary else hidden.popleft()
            entries = self._entries(path, root)
            self.folders[path] = _Folder(entries, root)
            count += len(entries) + 1
            for name, state in entries.items():
                child = f"{path}/{name}"
                if stat.S_ISDIR(state & _TYPE) and child not in self._skip:
                    if state & _OPAQUE:
                        hidden.append((child, root or child))
                    else:
                        ordinary.append(child)
        return not (ordinary or hidden)

    def _entries(self, path: str, root: str) -> dict[str, int]:
        listed = _listing(path)
        if not root:
            if path in self._tops:
                listed.pop(_GIT, None)
            states = {name: _state(state, self._is_opaque(f"{path}/{name}", state)) for name, state in listed.items()}
        else:
            is_git = path.endswith(f"/{_GIT}")
            states = {name: _state(state, True) for name, state in listed.items() if not (is_git and name in _HISTORY)}
        if not self._unwatched:
            return states
        return {name: state for name, state in states.items() if not self._is_unwatched(f"{path}/{name}", state)}

    def _is_opaque(self, path: str, state: int) -> bool:
        # of a repository inside, git tells nothing more
        return path in self._opaque or (stat.S_ISDIR(state & _TYPE) and os.path.lexists(f"{path}/{_GIT}"))

    def _is_unwatched(self, path: str, state: int) -> bool:
        _, relative = _named(self._checkouts, path)
        return bool(state & _OPAQUE) and globs.matches(relative, self._unwatched)


def _listing(path: str) -> dict[str, int]:
    """Return what is in a folder; nothing if it cannot be opened, or has just been removed."""
    states: dict[str, int] = {}
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            states[entry.name] = status.st_ctime_ns << _TIME_SHIFT | status.st_mode
    return states


def _state(state: int, is_opaque: bool) -> int:
    if not is_opaque:
        return state & _TYPE
    # the time of a folder says only that something in it changed
    return (state & _TYPE if stat.S_ISDIR(state & _TYPE) else state) | _OPAQUE


def differences(before: Unseen, after: Unseen, *, is_moved: bool = False) -> tuple[str, ...]:
    """Describe each difference, many of one kind in one line.

    `is_moved`: gitorch itself has checked out another commit in between, which may make files executable.
    """
    checkouts = tuple(dict.fromkeys((*after.checkouts, *before.checkouts)))
    groups: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for change in _changes(before, after, ~0o111 if is_moved else ~0):
        label, path = _named(checkouts, change.path)
        root = _named(checkouts, change.root)[1]
        groups[label, root, "" if change.verb == "mode" else change.kind, change.verb].append(path)
    return tuple(sorted(line for group, paths in groups.items() for line in _lines(*group, paths)))


def _changes(before: Unseen, after: Unseen, mask: int) -> Iterator[_Change]:
    for path in before.folders.keys() | after.folders.keys():
        old, new = before.folders.get(path), after.folders.get(path)
        if old == new:
            continue
        if old is not None and new is not None:
            yield from _in_folder(path, old, new, before, after, mask)
        elif new is None:
            # else it is there and is not looked at any more, or the folder that it was in says so
            if old is not None and not old.root and not os.path.lexists(path):
                yield from _in_folder(path, old, _Folder({}), before, after, mask)
        elif _was_there(before, path):
            yield from _later(path, new, before.time_ns)
        elif not new.root:
            yield from _in_folder(path, _Folder({}), new, before, after, mask)


def _was_there(before: Unseen, path: str) -> bool:
    """Return whether a folder that was not read is one that there was: there were too many."""
    while path != "/":
        parent, name = os.path.split(path)
        if parent in before.folders:
            return name in before.folders[parent].entries
        path = parent
    return False


def _later(path: str, folder: _Folder, time_ns: int) -> Iterator[_Change]:
    """Yield what has changed since a time in a folder that was not read then."""
    for name, state in folder.entries.items():
        if state & _OPAQUE and not stat.S_ISDIR(state & _TYPE) and state >> _TIME_SHIFT >= time_ns:
            yield _Change(f"{path}/{name}", _kind(state), "changed", folder.root)


def _in_folder(path: str, old: _Folder, new: _Folder, before: Unseen, after: Unseen, mask: int) -> Iterator[_Change]:
    root = new.root or old.root
    for name in old.entries.keys() | new.entries.keys():
        was, now, child = old.entries.get(name), new.entries.get(name), f"{path}/{name}"
        if was is None and now is not None:
            if _is_untold(child, now, after):
                yield _Change(child, _kind(now), "appeared", root)
        elif was is not None and now is None:
            if _is_untold(child, was, before):
                yield _Change(child, _kind(was), "disappeared", root)
        elif was is not None and now is not None and was != now and (verb := _verb(was, now, mask)):
            yield _Change(child, _kind(now), verb, root)


def _verb(old: int, new: int, mask: int) -> _Verb | None:
    """Return what happened to an entry that stayed, if git does not tell it."""
    kinds = stat.S_IFMT(old & _TYPE), stat.S_IFMT(new & _TYPE)
    is_opaque = bool(old & new & _OPAQUE)
    if kinds[0] != kinds[1]:
        return "changed" if is_opaque or _SPECIAL.keys() & set(kinds) else None
    if is_opaque and kinds[0] != stat.S_IFDIR:
        return "changed"
    return "mode" if (old ^ new) & _TYPE & (mask if kinds[0] == stat.S_IFREG else ~0) else None


def _is_untold(path: str, state: int, moment: Unseen) -> bool:
    """Return whether git says nothing of an entry that is there at one time only."""
    kind = stat.S_IFMT(state & _TYPE)
    if state & _OPAQUE or kind in _SPECIAL:
        return True
    folder = moment.folders.get(path)
    return kind == stat.S_IFDIR and folder is not None and not folder.entries


def _kind(state: int) -> str:
    kind = stat.S_IFMT(state & _TYPE)
    return "folder" if kind == stat.S_IFDIR else _SPECIAL.get(kind, "file")


def _named(checkouts: Iterable[Checkout], path: str) -> tuple[str, str]:
    """Return the label of the checkout that a path is in, and the path in it; the checkout may be in another one."""
    holders = [one for one in checkouts if path.startswith(f"{one.folder}/")]
    if not holders:
        return "", path
    innermost = max(holders, key=lambda one: len(str(one.folder)))
    return innermost.label, path[len(str(innermost.folder)) + 1 :]


def _lines(label: str, root: str, kind: str, verb: str, paths: Sequence[str]) -> Iterator[str]:
    prefix = f"{label}: " if label else ""
    names = [printable(path) for path in sorted(paths)]
    if len(names) <= _MOST_NAMED:
        yield from (
            f"{prefix}mode of {name} changed" if verb == "mode" else f"{prefix}{kind} {name} {verb}" for name in names
        )
        return
    summary = f"{len(names)} modes changed" if verb == "mode" else f"{len(names)} {kind}s {verb}"
    location = f" in {printable(root)}" if root else ""
    yield f"{prefix}{summary}{location}: {', '.join(names[:_NAMED])}, ..."
