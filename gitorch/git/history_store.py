"""A repository of gitorch's own that holds the history of the tasks' bases, and nothing else that is the user's.

Private repositories borrow from it. From the user's own object folder an agent could read every object: another task's
work, a stash, a branch that is not its base. It is also safe from the user's `git gc --prune=now`.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.storage import locks

_FETCH = {
    "protocol.version": "2",  # it serves a commit by its id
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
}

_BASES = "refs/base"


class HistoryStore(msgspec.Struct, frozen=True):
    """The store of one repository, at `folder`."""

    repository: Repository
    folder: Path

    @property
    def objects(self) -> Path:
        """Return the folder of its objects."""
        return self.folder / "objects"

    def provide(self, *commits: Oid) -> None:
        """Let the store hold these commits with all of their history; raise `GitFailed` where that is incomplete.

        Of a partial clone it holds the commits alone, like a shallow clone: what older ones need may be missing.
        """
        missing = [commit for commit in commits if not self._has(commit)]
        if not missing:
            return
        with locks.file_lock(self.folder.with_suffix(".lock")):
            self._initialize()
            commits = tuple(commit for commit in missing if not self._has(commit))
            if not commits:
                return
            if self._is_partial() or self.repository.git("rev-parse", "--is-shallow-repository").text == "true":
                self._fetch(commits)
            else:
                self._pack(commits)

    def _pack(self, commits: Sequence[Oid]) -> None:
        """Write one pack of what the store lacks, then its refs.

        A fetch would hash and check each object again: ten times slower, and minutes for a long history.
        """
        stored = [Oid(name) for name in self._refs()]
        bases = [oid for oid in self.repository.object_ids(*stored) if oid] if stored else []
        lines = "".join(f"{name}\n" for name in (*commits, *(f"^{base}" for base in bases)))
        options = ("--quiet", "--revs", "--non-empty", "--delta-base-offset", "--window=0")
        self.repository.git("pack-objects", *options, os.fspath(self.objects / "pack" / "pack"), input=lines.encode())
        updates = "".join(f"update {_ref(commit)} {commit}\n" for commit in commits)
        self._git("update-ref", "--stdin", input=updates.encode())

    def _refs(self) -> list[str]:
        """Return the commits that the store was asked for so far."""
        folder = self.folder / _BASES
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def _fetch(self, commits: Sequence[Oid]) -> None:
        """Fetch commits with the history that a shallow clone has; of a partial clone, the commits alone."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--update-shallow")
        depth = ("--depth=1",) if self._is_partial() else ()
        refspecs = [f"+{commit}:{_ref(commit)}" for commit in commits]
        source = self.repository.common_dir
        settings = _FETCH | literal_path(self.repository, source)
        words = (*options, *depth, os.fspath(source), *refspecs)
        self.repository.git("fetch", *words, git_dir=self.folder, env=config_variables(settings))

    def shallow(self) -> bytes:
        """Return the store's list of commits whose parents it does not have; empty for a complete history."""
        try:
            return (self.folder / "shallow").read_bytes()
        except FileNotFoundError:
            return b""

    def _is_partial(self) -> bool:
        return self.repository.settings.is_partial_clone

    def _has(self, commit: Oid) -> bool:
        return (self.folder / _ref(commit)).exists()

    def _initialize(self) -> None:
        if (self.folder / "HEAD").exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        fresh = self.folder.with_name(f"{self.folder.name}-{uuid.uuid4().hex}")
        kind = object_format(self.repository)
        options = ("--quiet", "--bare", "--template=", f"--object-format={kind}")
        files = {"GIT_DEFAULT_REF_FORMAT": "files"}  # refs are looked up as files, whatever init.defaultRefFormat says
        self.repository.git("init", *options, os.fspath(fresh), env=files)
        fresh.rename(self.folder)

    def _git(self, *args: str, input: bytes) -> None:
        self.repository.git(*args, git_dir=self.folder, env=config_variables(_FETCH), input=input)


def object_format(repository: Repository) -> str:
    """Return the hash of a repository: sha1 or sha256."""
    return repository.git("rev-parse", "--show-object-format").text


def literal_path(repository: Repository, path: Path) -> dict[str, str]:
    """Return the setting that keeps the user's `url.*.insteadOf` from replacing a path: the longest one counts."""
    return {f"url.{path}.insteadOf": os.fspath(path)} if repository.settings.with_prefix("url.") else {}


def config_variables(settings: dict[str, str]) -> dict[str, str]:
    """Return settings of git as environment variables, for one call."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _ref(commit: Oid) -> str:
    return f"{_BASES}/{commit}"


__all__ = ["GitFailed", "HistoryStore", "config_variables", "object_format"]
