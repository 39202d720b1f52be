"""`git merge-tree`, kept running: git's own merge, renames and all, without a worktree, many a second."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from gitorch.git.repository import BatchProcess, Repository
from gitorch.model.naming import Oid
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.values import Conflicted, Merged, Stage

MANY = (2, 39)
"""Since this git one process answers many merges."""

FLUSHES = (2, 49)
"""Since this git each answer leaves the process at once; before, it has to be unbuffered from outside."""

Attributes = tuple[tuple[bytes, bytes], ...]
"""The `.gitattributes` of a tree: paths and blobs."""

# what is tried out need not last
_ARGUMENTS = ("-c", "core.fsync=none", "merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories")
_MOST = 4
"""So many processes at once, each with its own attributes."""


class MergeTrees:
    """Merges of commits, by the `.gitattributes` that the caller says."""

    def __init__(self, repository: Repository, quarantine: Quarantine, contents: Callable[[bytes], bytes]) -> None:
        self.repository = repository
        self.quarantine = quarantine
        self._contents = contents
        self._talking: dict[Attributes, BatchProcess] = {}
        self._places: dict[Attributes, Path] = {}

    def close(self) -> None:
        for dialogue in self._talking.values():
            dialogue.close()

    def merge(self, ours: Oid, theirs: Oid, attributes: Attributes = ()) -> Merged | Conflicted:
        """Merge two commits; their merge base is found in their history."""
        if self._through is None:
            return self._merge_alone(ours, theirs, attributes)
        dialogue = self._dialogue(attributes, self._through)
        dialogue.send(f"{ours} {theirs}\n".encode())
        clean, tree, *entries = dialogue.read_until(b"\0\0").decode("utf-8", "surrogateescape").split("\0")[:-2]
        return _outcome(clean == "1", tree, entries, ours, theirs)

    @cached_property
    def _through(self) -> tuple[str, ...] | None:
        """What a process for many merges is started by; None where there can be none."""
        version = self.repository.version()
        if version >= FLUSHES:
            return ()
        return ("stdbuf", "-o0") if version >= MANY and shutil.which("stdbuf") else None

    @cached_property
    def may_have_attributes(self) -> bool:
        """Whether attributes can come from beside the tree: the repository's, the user's or the system's own file."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME", "/"), ".config"))
        installed = Path(shutil.which("git") or "/usr/bin/git").resolve().parents[1]
        files = (
            self.repository.common_dir / "info/attributes",
            home / "git/attributes",
            Path("/etc/gitattributes"),
            installed / "etc/gitattributes",
        )
        asked = self.repository.git("config", "--get", "core.attributesFile", ok=(0, 1))
        return asked.code == 0 or any(file.exists() for file in files)

    def _merge_alone(self, ours: Oid, theirs: Oid, attributes: Attributes) -> Merged | Conflicted:
        folder, common, env = self._circumstances(attributes)
        words = (*_ARGUMENTS, "-z", ours, theirs)
        answer = self.repository.git(*words, cwd=folder, git_dir=common, env=env, ok=(0, 1))
        tree, *entries = answer.fields()
        return _outcome(answer.code == 0, tree, entries, ours, theirs)

    def _dialogue(self, attributes: Attributes, through: tuple[str, ...]) -> BatchProcess:
        found = self._talking.pop(attributes, None)
        if found is None:
            if len(self._talking) == _MOST:
                self._talking.pop(next(iter(self._talking))).close()
            folder, common, env = self._circumstances(attributes)
            words = (*_ARGUMENTS, "--stdin")
            found = self.repository.start_batch(*words, cwd=folder, git_dir=common, env=env, wrapper=through)
        self._talking[attributes] = found  # the last one in is the last to go
        return found

    def _circumstances(self, attributes: Attributes) -> tuple[Path, Path, dict[str, str]]:
        """Return work tree, git folder and environment of a process.

        merge-tree takes .gitattributes from the user's files or index, and not from what it merges. So it gets a work
        tree that holds nothing else, and an index that does not exist.
        """
        if attributes not in self._places:
            self._places[attributes] = self._laid_out(attributes)
        return (
            self._places[attributes],
            self.repository.common_dir,
            {
                **self.quarantine.environment,
                "GIT_INDEX_FILE": str(self.quarantine.folder / "no-index"),
            },
        )

    def _laid_out(self, attributes: Attributes) -> Path:
        """Put `.gitattributes` files where git looks for them: not in commits, but in a work tree."""
        folder = Path(tempfile.mkdtemp(prefix="tree-", dir=self.quarantine.folder))
        for path, blob in attributes:
            place = folder / os.fsdecode(path)
            if ".." not in place.parts:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(self._contents(blob))
        return folder


def _outcome(clean: bool, tree: str, entries: list[str], ours: Oid, theirs: Oid) -> Merged | Conflicted:
    if clean:
        return Merged(Oid(tree))
    stages = tuple(_stage(entry, (ours, theirs)) for entry in entries)
    return Conflicted(theirs, tuple(dict.fromkeys(stage.path for stage in stages)), stages, Oid(tree))


def _stage(entry: str, sides: tuple[Oid, Oid]) -> Stage:
    words, _, path = entry.partition("\t")
    mode, blob, number = words.split(" ")
    if any(f"~{side}" in path for side in sides):
        # where one side has a file and the other a folder, git calls the file `name~COMMIT`
        path = re.sub(f"~(?:{'|'.join(sides)})(?:_[0-9]+)?$", "", path)
    return Stage(path, int(number), mode, Oid(blob))
