"""Rescue points: what a worktree holds and no commit does, as a commit under a ref of gitorch.

The files are read here and streamed to `git fast-import`. `git add` would store a file of any size, fail as a whole on
a repository inside, and interpret what an agent configured.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import msgspec

from gitorch.git import kept_packs, tree_files
from gitorch.git.commit_gate import is_git_name
from gitorch.git.opened_worktree import opened
from gitorch.git.repository import GitFailed, NeedsTooLong, RefsMoved, Repository
from gitorch.git.tree_files import FileContent, NotSaved
from gitorch.git.worktree_list import Worktree
from gitorch.git.worktrees import worktree_status
from gitorch.git.worktrees.worktree_status import WorktreeStatus
from gitorch.git.writing import unreferenced
from gitorch.git.writing.tree_writer import Entries, TreeWriter
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate

SAVED_GIT = ".git-saved"
"""In a rescue point, the folder that holds the `.git` folder of a repository inside the worktree."""
SAVED_MODULES = ".git-saved-modules"
"""In a rescue point, the folder that holds the repositories of the worktree's submodules."""
SKIPPED = "Not-saved: "
"""The start of a line in a rescue point's message: a path as JSON, and why it was not saved."""


class RescueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a rescue point holds at most.

    `file_bytes` and `total_bytes` are for uncommitted files, the `extra` ones for ignored files and repositories
    inside. `listed` is how many skipped paths the message names.
    """

    file_bytes: int = 50 << 20
    total_bytes: int = 2 << 30
    extra_file_bytes: int = 10 << 20
    extra_bytes: int = 200 << 20
    extra_files: int = 20_000
    listed: int = 200


LIMITS = RescueLimits()
_TRIES = 5
_PRUNED_TRIES = 3
# `.gitmodules` as file systems of Windows and macOS may spell it; git takes no link of this name
_SETTINGS_NAME = re.compile(r"\W*\.gitmodules|gitmod~[0-9]|gi7eb[0-9a-f]*~[0-9]", re.IGNORECASE)


def rescue(
    repository: Repository,
    worktree: Worktree,
    ref: Ref,
    message: str,
    *,
    complete: bool = False,
    limits: RescueLimits = LIMITS,
) -> Oid | None:
    """Save uncommitted files as a commit under `ref`, and return it; None if there are none.

    Commits that are on no branch are saved with them: HEAD may be detached. `complete` also saves ignored files, and
    the files and commits of repositories and submodules inside, up to the limits. What is not saved is listed in the
    message. Branch, index and files stay as they are. Earlier rescue points stay reachable through first parents; what
    one of them already has is not saved again. Several processes may save the same worktree at the same time, and the
    user's git may remove objects without a ref at any moment.
    """
    for remaining in reversed(range(_PRUNED_TRIES)):
        try:
            return _save(repository, worktree, ref, message, complete, limits)
        except NeedsTooLong:
            raise
        except GitFailed:  # an object that was there has just been removed, perhaps: it is written now
            if not remaining:
                raise
    return None


def _save(
    repository: Repository, worktree: Worktree, ref: Ref, message: str, complete: bool, limits: RescueLimits
) -> Oid | None:
    status = worktree_status.read(repository, worktree)
    with unreferenced.tentative(repository) as env, opened(worktree.path, worktree.admin) as top:
        with closing(TreeWriter(repository, env)) as writer:
            walker = _Walker(repository, worktree, top, limits, writer)
            walker.save_uncommitted(status)
            if complete:
                walker.save_extras(status)
            is_dirty = status.uncommitted.paths or walker.entries or walker.skipped
            if not (is_dirty or _is_unreachable(repository, status)):
                return None
            tree = writer.tree(status.tip, walker.entries)
        message = with_skipped(message, _listed(walker.skipped, limits.listed))
        return _commit(repository, ref, tree, status.tip, message, env)


def save_commits(repository: Repository, ref: Ref, tip: Oid, message: str) -> Oid | None:
    """Save commits that a branch is about to leave as a rescue point under `ref`, and return it."""
    with unreferenced.tentative(repository) as env:
        return _commit(repository, ref, repository.tree(tip), tip, message, env)


class _Walker:
    """Streams files into the object store. `entries` are the index entries of the tree, None for a deleted path."""

    def __init__(
        self, repository: Repository, worktree: Worktree, top: int, limits: RescueLimits, writer: TreeWriter
    ) -> None:
        self._repository, self._worktree, self._top, self._limits = repository, worktree, top, limits
        self._writer = writer
        self._files, self._bytes = limits.extra_files, limits.extra_bytes
        self.entries: Entries = {}
        self.skipped: dict[str, str] = {}

    def save_uncommitted(self, status: WorktreeStatus) -> None:
        """Save what git reports as uncommitted, and the files of repositories inside."""
        staged = {entry.path: (entry.mode, entry.blob) for entry in status.uncommitted.staged}
        self._store(self._read_uncommitted(status.uncommitted.paths), staged)
        for path in status.uncommitted.nested:
            self._save_repository(path.rstrip("/"))

    def _read_uncommitted(self, paths: Iterable[str]) -> Iterator[tuple[str, FileContent | NotSaved | None]]:
        remaining = self._limits.total_bytes
        for path in paths:
            content = tree_files.read(self._top, path, min(self._limits.file_bytes, remaining))
            remaining -= len(content.content) if isinstance(content, FileContent) else 0
            yield path, content

    def save_extras(self, status: WorktreeStatus) -> None:
        """Save ignored files, submodules, and repositories in ignored folders; list special files."""
        words = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z")
        ignored = [path for path in self._worktree.git(self._repository, *words).fields() if not path.endswith("/")]
        self._save_within(self._top, [(path, path) for path in ignored])
        inside = tree_files.scan(self._top, limit=self._limits.extra_files)
        self.skipped |= inside.special
        nested = {path.rstrip("/") for path in status.uncommitted.nested}
        for path in inside.repositories:
            if path not in nested:
                self._save_repository(path)
        self._save_modules()

    def _save_repository(self, path: str) -> None:
        """Save the files of a nested repository, and its `.git` folder as plain files: no git opens it."""
        pending = [path]
        while pending:
            folder = pending.pop()
            listing = tree_files.scan(self._top, folder, limit=self._limits.extra_files)
            git_files = tree_files.scan(self._top, f"{folder}/.git", limit=self._limits.extra_files).files
            prefix = f"{folder}/.git/"
            files = [(name, name) for name in listing.files]
            files += [(f"{folder}/{SAVED_GIT}/{name.removeprefix(prefix)}", name) for name in git_files]
            before = len(self.entries)
            self._save_within(self._top, files)
            if len(self.entries) > before:
                self.entries[folder] = None  # the tree of the commit may have a link there
            self.skipped |= listing.special
            pending += listing.repositories

    def _save_modules(self) -> None:
        """Save the repositories of submodules, which are in the worktree's git folder."""
        try:
            modules = tree_files.open_folder(self._worktree.admin / "modules")
        except OSError:
            return
        try:
            files = tree_files.scan(modules, limit=self._limits.extra_files).files
            self._save_within(modules, [(f"{SAVED_MODULES}/{name}", name) for name in files])
        finally:
            os.close(modules)

    def _save_within(self, top: int, files: Sequence[tuple[str, str]]) -> None:
        self._store(self._read_within(top, files), {})

    def _read_within(
        self, top: int, files: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[str, FileContent | NotSaved | None]]:
        """Read files (the path in the tree, and below `top`) until the limits of a rescue point are reached."""
        for target, path in files:
            if self._files <= 0 or self._bytes <= 0:
                yield target, NotSaved("the rescue point is full")
                continue
            content = tree_files.read(top, path, min(self._limits.extra_file_bytes, self._bytes))
            if isinstance(content, FileContent):
                self._files -= 1
                self._bytes -= len(content.content)
                yield target, content
            elif content is not None:
                yield target, content

    def _store(
        self,
        contents: Iterable[tuple[str, FileContent | NotSaved | None]],
        staged: dict[str, tuple[str, str]],
    ) -> None:
        """Write contents as blobs; a path without a file is deleted, or as it is `staged`."""
        for path, content in contents:
            if isinstance(content, NotSaved):
                self.skipped[path] = content.reason
            elif content is not None and not _is_storable(path, content.mode):
                self.skipped[path] = "git refuses this name"
            elif content is None:
                self.entries[path] = staged.get(path)
            else:
                self.entries[path] = content.mode, self._writer.blob(content.content)


def _is_storable(path: str, mode: str) -> bool:
    """Return whether git takes a path into an index: one that it refuses would stop the whole rescue point."""
    parts = path.split("/")
    is_settings_link = mode == "120000" and _SETTINGS_NAME.match(parts[-1]) is not None
    return not is_settings_link and not any(is_git_name(part) for part in parts)


def _commit(
    repository: Repository, ref: Ref, tree: Oid, head: Oid | None, message: str, env: Mapping[str, str]
) -> Oid | None:
    for remaining in reversed(range(_TRIES)):
        old = repository.read_ref(ref)
        if old and _has_snapshot(repository, old, tree, head):
            return old
        known = [oid for oid in (old, head) if oid]
        new = unreferenced.commit_tree(repository, tree, known, message, repository.identity(), objects=env)
        try:
            repository.update_refs([RefUpdate(ref, new, old)], "save uncommitted work")
        except RefsMoved:
            kept_packs.release(repository.common_dir, [new])
            if not remaining:
                raise
        else:
            return new
    return None


def _is_unreachable(repository: Repository, status: WorktreeStatus) -> bool:
    """Return whether the commits of a detached HEAD are in no ref."""
    if status.branch is not None or status.tip is None:
        return False
    return not repository.git("for-each-ref", "--count=1", f"--contains={status.tip}", "--format=%(refname)").stdout


def _has_snapshot(repository: Repository, rescue_point: Oid, tree: Oid, head: Oid | None) -> bool:
    """Return whether a rescue point has this tree on top of this commit."""
    (commit,) = repository.commits([rescue_point])
    return commit.tree == tree and (not head or commit.parents[-1:] == (head,))


def _listed(skipped: dict[str, str], listed: int) -> list[str]:
    lines = [f"{json.dumps(path)} {reason}" for path, reason in sorted(skipped.items())[:listed]]
    return [*lines, f"and {len(skipped) - listed} more"] if len(skipped) > listed else lines


def with_skipped(message: str, skipped: Sequence[str]) -> str:
    """Return a message that lists what `skipped_of` has returned."""
    return message + "\n\n" * bool(skipped) + "".join(f"{SKIPPED}{line}\n" for line in skipped)


def skipped_of(message: str) -> list[str]:
    """Return what a rescue point's message lists as not saved: paths as JSON, each with the reason."""
    return [line.removeprefix(SKIPPED) for line in message.split("\n") if line.startswith(SKIPPED)]
