"""Resolve conflicts: a `Resolver` gets files in conflict, and returns proposals with evidence.

Resolvers are tried in order, and the first proposal for a file is used. Union merges and syntax-aware drivers need no
resolver: git applies them according to `.gitattributes`. A resolver never just picks a side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from gitorch.flow.merge.resolution.remembered import FileResolutions, HunkResolutions, ReadBlob, Sides, is_marked
from gitorch.git.repository import Repository
from gitorch.model import globs
from gitorch.model.naming import Oid, TaskId

MEMORY, RERERE, REGENERATE = "memory", "rerere", "regenerate"


class ConflictFile(msgspec.Struct, frozen=True):
    """A file in conflict: its path, the blobs of its versions, and the tasks whose changes meet in it.

    `our_tasks` went in before, `their_task` is being replayed; a commit that belongs to no task has none.
    """

    path: str
    sides: Sides
    our_tasks: tuple[TaskId, ...] = ()
    their_task: TaskId | None = None


class Proposal(msgspec.Struct, frozen=True):
    """A proposed content of a file, and the evidence for it: what it comes from (`memory`, `rerere`, ...).

    With a `command`, the file is generated: the blob stays until the command has run on the resolved commit. `details`
    are sentences for a reviewer.
    """

    blob: Oid
    evidence: str
    command: str = ""
    details: tuple[str, ...] = ()


class Resolver(Protocol):
    """Proposes results for files in conflict."""

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        """Return proposals by path, the best first; files without a proposal are left out."""


class RegenerateResolver:
    """Proposes to regenerate generated files, which are never merged as text.

    `commands` are the commands of `[merge.regenerate]`, by path glob.
    """

    def __init__(self, commands: Mapping[str, str]) -> None:
        self._commands = commands

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        """Propose our side for each file that a command generates, until the command has run."""
        commands = {file: regenerating_command(self._commands, file.path) for file in files}
        return {
            file.path: [Proposal(file.sides.ours, REGENERATE, command)] for file, command in commands.items() if command
        }


class KnownResolutions:
    """Proposes earlier resolutions: whole files by their three sides, else all hunks of a file with `rerere`.

    `read` returns the content of a blob that exists only in the memory of a replayer.
    """

    def __init__(self, repository: Repository, read: ReadBlob | None = None) -> None:
        self.repository = repository
        self._files = FileResolutions(repository)
        self._hunks = HunkResolutions(repository, read)
        self._by_hunks: dict[Sides, Oid | None] = {}

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        """Return a proposal for each file whose conflict was resolved before."""
        sides = {file.path: file.sides for file in files}
        whole_files = self._files.recall(sides)
        hunks = self._recall_hunks({path: three for path, three in sides.items() if path not in whole_files})
        proposals = {path: [Proposal(blob, MEMORY)] for path, blob in whole_files.items()}
        return proposals | {path: [Proposal(blob, RERERE)] for path, blob in hunks.items()}

    def _recall_hunks(self, sides: Mapping[str, Sides]) -> dict[str, Oid]:
        missing = {path: three for path, three in sides.items() if three not in self._by_hunks}
        if missing:
            blobs = self._hunks.recall(missing)
            self._by_hunks |= {three: blobs.get(path) for path, three in missing.items()}
        return {path: blob for path, three in sides.items() if (blob := self._by_hunks[three])}

    def learn(self, resolved: Mapping[Sides, Oid]) -> None:
        """Remember how files in conflict were resolved; files that still have markers are skipped."""
        clean = {sides: blob for sides, blob in resolved.items() if not is_marked(self._content(blob))}
        if clean:
            self._by_hunks.clear()
            self._files.learn(clean)
            self._hunks.learn({sides: blob for sides, blob in clean.items() if self._exist(sides)})

    def _exist(self, sides: Sides) -> bool:
        # if a merge has several bases, git makes one of them and does not store it
        blobs = (blob for blob in (sides.base, sides.ours, sides.theirs) if blob)
        return None not in self.repository.object_ids(*blobs)

    def _content(self, blob: Oid) -> bytes:
        return self.repository.git("cat-file", "blob", blob, ok=(0, 128)).stdout


def resolved_files(repository: Repository, commit: Oid, files: Mapping[str, Sides | None]) -> dict[Sides, Oid]:
    """Return the blobs that a commit has for files that were in conflict."""
    sides = [(path, three) for path, three in files.items() if three is not None and "\n" not in path]
    if not sides:
        return {}
    blobs = repository.object_ids(*(f"{commit}:{path}" for path, _ in sides))
    return {three: blob for (_, three), blob in zip(sides, blobs, strict=True) if blob is not None}


def resolving_commits(repository: Repository, files: Mapping[str, Sides], base: Oid | None, tip: Oid) -> list[Oid]:
    """Return the commits of a branch that changed files from our side of a conflict: they resolved it."""
    words = ("rev-list", "--no-merges", tip, *((f"^{base}",) if base else ()), "--", *files)
    listing = repository.git(*words, env={"GIT_LITERAL_PATHSPECS": "1"}).text
    commits = repository.commits(Oid(line) for line in listing.split("\n") if line)
    our_blobs = {sides.ours for sides in files.values()}
    return [
        commit.oid
        for commit in commits
        if commit.parents and our_blobs & {*_blobs(repository, commit.parents[0], files)}
    ]


def _blobs(repository: Repository, commit: Oid, paths: Iterable[str]) -> list[Oid]:
    oids = repository.object_ids(*(f"{commit}:{path}" for path in paths if "\n" not in path))
    return [oid for oid in oids if oid is not None]


def regenerating_command(commands: Mapping[str, str], path: str) -> str:
    """Return the command of the first pattern that matches a path; empty if none does."""
    return next((command for pattern, command in commands.items() if globs.matches(path, [pattern])), "")
