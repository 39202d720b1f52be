"""`git merge-tree` as a batch process: git's own merge, with renames and without a worktree, many a second."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePath

import msgspec

from gitorch.git.repository import BatchProcess, GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.values import Conflicted, Merged, Stage, parse_stage

BATCH_VERSION = (2, 39)
"""Since this git one process answers many merges."""

FLUSHING_VERSION = (2, 49)
"""Since this git each answer leaves the process at once; before, `stdbuf` has to make it unbuffered."""

Attributes = tuple[tuple[bytes, bytes], ...]
"""The `.gitattributes` of a tree: paths and blobs."""

_SETTINGS = (
    # tentative results need neither be durable nor small
    "core.fsync=none",
    "core.looseCompression=0",
    # what is merged has full ids: git need not look for refs of the same name, nor for the shortest id of the base
    "core.warnAmbiguousRefs=false",
    "core.abbrev=no",
)
_ARGUMENTS = (
    *(word for setting in _SETTINGS for word in ("-c", setting)),
    *("merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories"),
)
_TOP = "."
"""The path of the top folder, and of a conflict for which git names no path."""
_MAX_PROCESSES = 4
"""How many processes run at once, each with its own attributes."""


class MergeTrees:
    """Merges of commits, with the `.gitattributes` that the caller gives."""

    def __init__(self, repository: Repository, quarantine: Quarantine, read: Callable[[bytes], bytes]) -> None:
        self.repository = repository
        self.quarantine = quarantine
        self._read = read
        self._processes: dict[Attributes, BatchProcess] = {}
        self._work_trees: dict[Attributes, Path] = {}

    def close(self) -> None:
        for process in self._processes.values():
            process.close()

    def merge(self, ours: Oid, theirs: Oid, attributes: Attributes = ()) -> Merged | Conflicted:
        """Merge two commits; git finds their merge base in their history."""
        if self._wrapper is None:
            return self._merge_once((ours, theirs), attributes)
        process = self._process(attributes, self._wrapper)
        try:
            process.send(f"{ours} {theirs}\n".encode())
            answer = process.read_until(b"\0\0")
        except GitFailed:
            del self._processes[attributes]  # it has ended: the next merge starts another one
            raise
        clean, tree, *entries = answer.decode("utf-8", "surrogateescape").split("\0")[:-2]
        outcome = _outcome(clean == "1", tree, entries, (ours, theirs))
        if isinstance(outcome, Conflicted) and not outcome.paths:
            return self.add_unstaged((ours, theirs), attributes, outcome)
        return outcome

    def add_unstaged(self, sides: tuple[Oid, Oid], attributes: Attributes, conflict: Conflicted) -> Conflicted:
        """Return the conflict of two commits with the paths that conflict without a stage in git's index.

        These are folders that one side renamed: to several folders, or onto files of the other side. Only git's
        messages name them, and reading these takes a process of its own.
        """
        cwd, git_dir, env = self._location(attributes)
        words = (*_ARGUMENTS, "--messages", "-z", *sides)
        _, _, messages = self.repository.git(*words, cwd=cwd, git_dir=git_dir, env=env, ok=(0, 1)).stdout.partition(
            b"\0\0"
        )
        staged = set(conflict.paths)
        conflicts = (record.paths(sides) for record in _messages(messages) if record.kind.startswith("CONFLICT"))
        unstaged = (path for paths in conflicts if staged.isdisjoint(paths) for path in paths)
        paths = tuple(dict.fromkeys((*conflict.paths, *unstaged))) or (_TOP,)
        return msgspec.structs.replace(conflict, paths=paths)

    @cached_property
    def _wrapper(self) -> tuple[str, ...] | None:
        """The program that starts a batch process; None if there can be no batch process."""
        version = self.repository.version
        if version >= FLUSHING_VERSION:
            return ()
        return ("stdbuf", "-o0") if version >= BATCH_VERSION and shutil.which("stdbuf") else None

    @cached_property
    def may_have_attributes(self) -> bool:
        """Whether attributes can come from outside the tree: the repository's, the user's or the system's own file."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME", "/"), ".config"))
        installed = Path(shutil.which("git") or "/usr/bin/git").resolve().parents[1]
        files = (
            self.repository.common_dir / "info/attributes",
            home / "git/attributes",
            Path("/etc/gitattributes"),
            installed / "etc/gitattributes",
        )
        configured = self.repository.settings.get("core.attributesfile")
        return configured is not None or any(file.exists() for file in files)

    @cached_property
    def _driver_files(self) -> dict[PurePath, Path]:
        """The files of the user's checkout that merge drivers name, such as `./scripts/merge.sh %O %A %B`."""
        if (checkout := self.repository.checkout) is None:
            return {}
        drivers = self.repository.settings.with_prefix("merge.")
        commands = [values[-1] for name, values in drivers.items() if name.endswith(".driver")]
        names = (PurePath(word) for command in commands for word in _words(command))
        inside = (name for name in names if not name.is_absolute() and not {"..", ".gitattributes"} & {*name.parts})
        return {name: checkout / name for name in inside if (checkout / name).is_file()}

    def _merge_once(self, sides: tuple[Oid, Oid], attributes: Attributes) -> Merged | Conflicted:
        cwd, git_dir, env = self._location(attributes)
        words = (*_ARGUMENTS, "-z", *sides)
        answer = self.repository.git(*words, cwd=cwd, git_dir=git_dir, env=env, ok=(0, 1))
        tree, *entries = answer.fields()
        outcome = _outcome(answer.code == 0, tree, entries, sides)
        if isinstance(outcome, Conflicted) and not outcome.paths:
            return self.add_unstaged(sides, attributes, outcome)
        return outcome

    def _process(self, attributes: Attributes, wrapper: tuple[str, ...]) -> BatchProcess:
        process = self._processes.pop(attributes, None)
        if process is None:
            if len(self._processes) == _MAX_PROCESSES:
                self._processes.pop(next(iter(self._processes))).close()
            cwd, git_dir, env = self._location(attributes)
            words = (*_ARGUMENTS, "--stdin")
            process = self.repository.start_batch(*words, cwd=cwd, git_dir=git_dir, env=env, wrapper=wrapper)
        self._processes[attributes] = process  # the last one used is the last to be closed
        return process

    def _location(self, attributes: Attributes) -> tuple[Path, Path, dict[str, str]]:
        """Return work tree, git folder and environment of a process.

        merge-tree takes .gitattributes from the user's files or index, and not from what it merges. So it gets a work
        tree with nothing else in it, and an index that does not exist.
        """
        if attributes not in self._work_trees:
            self._work_trees[attributes] = self._write_attributes(attributes)
        environment = {**self.quarantine.environment, "GIT_INDEX_FILE": str(self.quarantine.folder / "no-index")}
        return self._work_trees[attributes], self.repository.common_dir, environment

    def _write_attributes(self, attributes: Attributes) -> Path:
        """Write `.gitattributes` files where git looks for them: not in commits, but in a work tree.

        git starts merge drivers there: it has a link to each file that one of them names by a relative path.
        """
        folder = Path(tempfile.mkdtemp(prefix="tree-", dir=self.quarantine.folder))
        for path, blob in attributes:
            file = folder / os.fsdecode(path)
            if ".." not in file.parts:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self._read(blob))
        if attributes or self.may_have_attributes:
            for name, file in self._driver_files.items():
                if not (folder / name).exists():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).symlink_to(file)
        return folder


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # the shell will say so
        return []


def _outcome(is_clean: bool, tree: str, entries: list[str], sides: tuple[Oid, Oid]) -> Merged | Conflicted:
    if is_clean:
        return Merged(Oid(tree))
    stages = tuple(_stage(entry, sides) for entry in entries)
    return Conflicted(sides[1], tuple(dict.fromkeys(stage.path for stage in stages)), stages, Oid(tree))


def _stage(entry: str, sides: tuple[Oid, Oid]) -> Stage:
    stage = parse_stage(entry)
    path = _own_path(stage.path, sides)
    return stage if path == stage.path else Stage(path, stage.number, stage.mode, stage.blob)


def _own_path(path: str, sides: tuple[Oid, Oid]) -> str:
    """Return a path as the commits have it: where one side has a folder, git calls the file `name~COMMIT`."""
    if not any(f"~{side}" in path for side in sides):
        return path
    return re.sub(f"~(?:{'|'.join(sides)})(?:_[0-9]+)?$", "", path)


class _Message(msgspec.Struct, frozen=True):
    """A message of a merge: its kind, such as `CONFLICT (contents)`, and the paths that it is about."""

    kind: str
    names: tuple[str, ...]

    def paths(self, sides: tuple[Oid, Oid]) -> tuple[str, ...]:
        return tuple(_own_path(name, sides) or _TOP for name in self.names)


def _messages(content: bytes) -> Iterator[_Message]:
    """Read `COUNT NUL PATH... NUL KIND NUL TEXT NUL` records; the path of the top folder is empty."""
    fields = iter(content.decode("utf-8", "surrogateescape").split("\0"))
    while count := next(fields, ""):
        names = tuple(itertools.islice(fields, int(count)))
        yield _Message(next(fields), names)
        next(fields)
