"""The merge engine: many replays that share what was read, in memory until they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from gitorch.git.repository import GitFailed, Repository
from gitorch.git.writing.pack_format import NewObject
from gitorch.model.naming import Oid
from gitorch.replay import pack, trees
from gitorch.replay.history import Change, History, Pick
from gitorch.replay.new_commits import NewCommits
from gitorch.replay.objects import SUBMODULE, Entry, Objects
from gitorch.replay.patches import Patches
from gitorch.replay.present_changes import PresentChanges
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.tree_changes import TreeChanges
from gitorch.replay.values import CommitRange, Conflicted, Merged, Replayed, UpstreamCommit


class MemoryReplayer:
    """A `Replayer` that writes nothing into the repository until `keep`.

    `whole_trees` is for `TreeChanges`: the results are the same.
    """

    def __init__(self, repository: Repository, *, whole_trees: bool = False) -> None:
        self.repository = repository
        self._objects = Objects(repository)
        self._quarantine = Quarantine(repository, self._objects)
        self._history = History(repository)
        self._patches = Patches(repository, self._objects, self._quarantine)
        self._commits = NewCommits(repository, self._objects)
        self._present = PresentChanges(self._history, self._commits, self._patches)
        self._changes = TreeChanges(repository, self._objects, self._quarantine, self._commits, whole_trees=whole_trees)
        self._stored: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes of this replayer, and forget what was not kept."""
        with ExitStack() as stack:
            for part in (self._quarantine, self._objects, self._changes, self._patches):
                stack.callback(part.close)

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Read what replays of these commits onto `onto` will need, all at once."""
        ranges = list(ranges)
        self._objects.use_id_format(onto)
        real = self._commits.real(onto)
        self._history.read(ranges, real)
        picks = [pick for commits in ranges for pick in self._history.picks(commits, real)]
        names = [pick.oid for pick in picks]
        self._commits.preload(names, self._objects.read_all(map(bytes.fromhex, names)))
        changes = [change for pick in picks for change in pick.changes]
        trees.fetch_folders(self._objects, self._commits.tree(real), (change.path for change in changes))
        # a file that is taken over is not read: only this tells that it is missing
        self._objects.require(
            change.new[1] for change in changes if change.new is not None and change.new[0] != SUBMODULE
        )

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits onto a commit of the repository or of an earlier replay."""
        tip = onto
        pairs: list[tuple[Oid, Oid]] = []
        dropped: list[Oid] = []
        for pick in self.picks(commits, onto):
            result = self._pick(pick, commits, onto, tip)
            if isinstance(result, Conflicted):
                return result
            if result is None:
                dropped.append(pick.oid)
            else:
                tip = result
                pairs.append((pick.oid, tip))
        return Replayed(tip, tuple(pairs), tuple(dropped))

    def picks(self, commits: CommitRange, onto: Oid) -> list[Pick]:
        """Return the commits that a replay onto a commit would pick, oldest first."""
        self._objects.use_id_format(onto)
        real = self._commits.real(onto)
        self._history.read([commits], real)
        return self._history.picks(commits, real)

    def own_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the commits that a replay onto a commit would pick, oldest first."""
        return [pick.oid for pick in self.picks(commits, onto)]

    def upstream(self, base: Oid, onto: Oid) -> list[UpstreamCommit]:
        """Return what a commit has and `base` has not, the newest first and without merges."""
        self._objects.use_id_format(onto)
        real = self._commits.real(onto)
        self._history.read([CommitRange(base, real)], real)
        new = [(oid, commit.parent, commit.changes) for oid, commit in self._commits.below(onto)]
        old = [(pick.oid, pick.parent, pick.changes) for pick in self._history.between(base, real)]
        return [
            UpstreamCommit(oid, parent, _paths(changes)) for oid, parent, changes in (*new, *old) if parent is not None
        ]

    def is_stack(self, commits: CommitRange, onto: Oid) -> bool:
        """Return whether a branch starts on commits that the repository's part of `onto` does not have."""
        real = self._commits.real(onto)
        self._history.read([commits], real)
        return self._history.is_stack(commits, real)

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ()) -> list[bool]:
        """Return for each branch whether it starts on a commit of `onto`, of these tips or of another rooted branch."""
        self._objects.use_id_format(onto)
        return self._history.rooted(ranges, self._commits.real(onto), tips)

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        """Return the paths that these commits change."""
        return _paths(change for pick in self.picks(commits, onto) for change in pick.changes)

    def merge_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the branch's own merge commits, oldest first: a replay leaves them out."""
        self._objects.use_id_format(onto)
        real = self._commits.real(onto)
        self._history.read([commits], real)
        return self._history.merges(commits, real)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits, with the `.gitattributes` of the first."""
        self._objects.use_id_format(ours)
        return self._changes.merge(ours, theirs)

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        """Return the paths in which two commits conflict; nothing that is merged is kept."""
        self._objects.use_id_format(ours)
        return self._changes.conflict_paths(ours, theirs)

    def merge_on(self, base: Oid, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits as if nothing but `base` were below both, with the `.gitattributes` of the first."""
        self._objects.use_id_format(base)
        return self._changes.merge_on(base, ours, theirs)

    def add_blob(self, content: bytes) -> Oid:
        """Make a blob, for trees that are made here."""
        return Oid(self._objects.add(NewObject(b"blob", content)).hex())

    def with_files(self, tree: Oid, blobs: Mapping[str, Oid]) -> Oid:
        """Return a tree with the contents of some of its files replaced."""
        root = bytes.fromhex(tree)
        changes: dict[bytes, Entry | None] = {}
        for name, blob in blobs.items():
            path = name.encode("utf-8", "surrogateescape")
            entry = trees.find(self._objects, root, path)
            if not isinstance(entry, tuple):
                raise GitFailed("object-missing", f"the tree {tree} has no file {name}")
            changes[path] = (entry[0], bytes.fromhex(blob))
        return Oid(trees.change_paths(self._objects, root, changes).hex()) if changes else tree

    def rewrite(self, commit: Oid, tree: Oid, parent: Oid) -> Oid:
        """Return a commit with another tree and parent; the rest is as in a replay."""
        new = bytes.fromhex(tree)
        return self._commits.add(commit, parent, new, self._changes.differences(self._commits.tree(parent), new))

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit of the repository or of an earlier replay."""
        return Oid(self._commits.tree(commit).hex())

    def file_id(self, tree: Oid, path: str) -> Oid | None:
        """Return the blob of a file of a tree of the repository or of an earlier replay; None if there is none."""
        entry = trees.find(self._objects, bytes.fromhex(tree), path.encode("utf-8", "surrogateescape"))
        is_blob = isinstance(entry, tuple) and entry[0].startswith((b"100", b"120"))  # and not a submodule's commit
        return Oid(entry[1].hex()) if isinstance(entry, tuple) and is_blob else None

    def file(self, tree: Oid, path: str) -> bytes | None:
        """Return a file of a tree of the repository or of an earlier replay; None if there is none."""
        blob = self.file_id(tree, path)
        return self._objects.read(bytes.fromhex(blob)) if blob is not None else None

    def blob(self, oid: Oid) -> bytes | None:
        """Return the content of a blob of the repository, or of an earlier replay or merge; None if there is none."""
        self._objects.use_id_format(oid)
        self._quarantine.load(bytes.fromhex(oid))
        try:
            return self._objects.read(bytes.fromhex(oid))
        except GitFailed:
            return None

    def keep(self, *tips: Oid) -> None:
        """Store commits of earlier replays in the repository, with all that they need."""
        new = [oid for tip in tips for oid in reversed([oid for oid, _ in self._commits.below(tip)])]
        pack.store(self._objects, map(bytes.fromhex, new), self._stored, tips)

    def keep_tree(self, tree: Oid) -> None:
        """Store a tree of an earlier replay or merge in the repository."""
        pack.store(self._objects, [bytes.fromhex(tree)], self._stored)

    def _pick(self, pick: Pick, commits: CommitRange, onto: Oid, tip: Oid) -> Oid | Conflicted | None:
        """Return the commit of a pick on top of `tip`; None if `onto` or `tip` already has its change."""
        if pick.parent == tip:
            return pick.oid
        target = self._commits.tree(tip)
        if not pick.changes:
            self._changes.require_empty(pick)
        result = self._changes.apply(pick, target) if pick.changes else (target, ())
        if result == (target, ()) and pick.changes:
            return None
        if pick.changes and self._present.include(pick, commits, onto):
            return None
        return result if isinstance(result, Conflicted) else self._commits.add(pick.oid, tip, *result)


def replay(repository: Repository, base: Oid, tip: Oid, onto: Oid) -> Replayed | Conflicted:
    """Replay the own commits `base..tip` onto `onto`, and store the result in the repository."""
    with MemoryReplayer(repository) as replayer:
        result = replayer.replay(CommitRange(base, tip), onto)
        if isinstance(result, Replayed):
            replayer.keep(result.tip)
        return result


def _paths(changes: Iterable[Change]) -> frozenset[str]:
    return frozenset(_text(change.path) for change in changes)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
