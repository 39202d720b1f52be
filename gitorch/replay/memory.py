"""The merge engine: many replays that share what was read, in memory until they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

import msgspec

from gitorch.git.pack_format import NewObject
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Oid
from gitorch.replay import pack, trees
from gitorch.replay.attributes import AttributeReader
from gitorch.replay.commit_bytes import rewrite_commit, synthetic_commit
from gitorch.replay.fast_path import FastPath, find_fast_path, may_rename_folder
from gitorch.replay.history import Change, Changes, History, Pick
from gitorch.replay.merge_tree import MergeTrees
from gitorch.replay.objects import Entry, Objects
from gitorch.replay.patches import Outline, Patches, outline
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.values import CommitRange, Conflicted, Merged, Replayed, UpstreamCommit

_MAX_UNLOADED = 256
"""After how many merges that nobody loads their files are removed: they take memory."""


class _NewCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit that was made here: its parent, and what it changes."""

    parent: Oid
    changes: Changes


class _Chain(msgspec.Struct):
    """The new commits between a tip and the `real` commit below them, by the outline of what they change."""

    tip: Oid
    real: Oid
    changes: dict[Outline, list[Changes]]


class MemoryReplayer:
    """A `Replayer` that writes nothing into the repository until `keep`.

    With `whole_trees` every pick is git's own merge of whole trees. Otherwise paths that only one side changed are
    taken over, files that both sides changed are merged alone, and git's merge does the rest: the result is the same.
    """

    def __init__(self, repository: Repository, *, whole_trees: bool = False) -> None:
        self.repository = repository
        self.whole_trees = whole_trees
        self._objects = Objects(repository)
        self._quarantine = Quarantine(repository, self._objects)
        self._history = History(repository)
        self._merges = MergeTrees(repository, self._quarantine, self._objects.read)
        self._patches = Patches(repository, self._objects, self._quarantine)
        self._attributes = AttributeReader(self._objects)
        self._raw_commits: dict[Oid, bytes] = {}
        self._new_commits: dict[Oid, _NewCommit] = {}
        self._unloaded = 0
        self._trees: dict[Oid, bytes] = {}
        self._chain: _Chain | None = None
        self._earlier: tuple[Oid, dict[Outline, list[Pick]]] | None = None
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
            for part in (self._quarantine, self._objects, self._merges, self._patches):
                stack.callback(part.close)

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Read what replays of these commits onto `onto` will need, all at once."""
        ranges = list(ranges)
        self._objects.use_id_format(onto)
        real = self._real(onto)
        self._history.read(ranges, real)
        picks = [pick.oid for commits in ranges for pick in self._history.picks(commits, real)]
        self._raw_commits |= zip(picks, self._objects.read_all(map(bytes.fromhex, picks)), strict=True)

    @cached_property
    def _committer(self) -> str:
        return self.repository.committer()

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
        real = self._real(onto)
        self._history.read([commits], real)
        return self._history.picks(commits, real)

    def own_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the commits that a replay onto a commit would pick, oldest first."""
        return [pick.oid for pick in self.picks(commits, onto)]

    def upstream(self, base: Oid, onto: Oid) -> list[UpstreamCommit]:
        """Return what a commit has and `base` has not, the newest first and without merges."""
        self._objects.use_id_format(onto)
        real = self._real(onto)
        self._history.read([CommitRange(base, real)], real)
        new = [(oid, self._new_commits[oid].parent, self._new_commits[oid].changes) for oid in self._new_below(onto)]
        old = [(pick.oid, pick.parent, pick.changes) for pick in self._history.between(base, real)]
        return [
            UpstreamCommit(oid, parent, _paths(changes)) for oid, parent, changes in (*new, *old) if parent is not None
        ]

    def is_stack(self, commits: CommitRange, onto: Oid) -> bool:
        """Return whether a branch starts on commits that the repository's part of `onto` does not have."""
        real = self._real(onto)
        self._history.read([commits], real)
        return self._history.is_stack(commits, real)

    def rooted(self, ranges: Sequence[CommitRange], onto: Oid, tips: tuple[Oid, ...] = ()) -> list[bool]:
        """Return of each branch whether it starts on what `onto`, these tips or another rooted branch has."""
        self._objects.use_id_format(onto)
        return self._history.rooted(ranges, self._real(onto), tips)

    def paths(self, commits: CommitRange, onto: Oid) -> frozenset[str]:
        """Return the paths that these commits change."""
        return _paths(change for pick in self.picks(commits, onto) for change in pick.changes)

    def merge_commits(self, commits: CommitRange, onto: Oid) -> list[Oid]:
        """Return the branch's own merge commits, oldest first: a replay leaves them out."""
        self._objects.use_id_format(onto)
        real = self._real(onto)
        self._history.read([commits], real)
        return self._history.merges(commits, real)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits, with the `.gitattributes` of the first."""
        return self._load(self._merge(ours, theirs), ours, theirs)

    def conflict_paths(self, ours: Oid, theirs: Oid) -> tuple[str, ...]:
        """Return the paths in which two commits conflict; nothing that is merged is kept."""
        outcome = self._merge(ours, theirs)
        self._unloaded += 1
        if self._unloaded % _MAX_UNLOADED == 0:
            self._quarantine.remove_unloaded()
        return outcome.paths if isinstance(outcome, Conflicted) else ()

    def _merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        self._objects.use_id_format(ours)
        self._write_to_quarantine(ours)
        self._write_to_quarantine(theirs)
        return self._merges.merge(ours, theirs, self._attributes.all(self._tree(ours)))

    def merge_on(self, base: Oid, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits as if nothing but `base` were below both, with the `.gitattributes` of the first."""
        self._objects.use_id_format(base)
        target = self._tree(ours)
        sides = (self._synthetic_commit(target, base), self._synthetic_commit(self._tree(theirs), base))
        return self._load(self._merges.merge(*sides, self._attributes.all(target)), *sides)

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
        return self._add_commit(commit, parent, new, self._differences(self._tree(parent), new))

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit of the repository or of an earlier replay."""
        return Oid(self._tree(commit).hex())

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
        new = [oid for tip in tips for oid in reversed([*self._new_below(tip)])]
        pack.store(self._objects, map(bytes.fromhex, new), self._stored, tips)

    def keep_tree(self, tree: Oid) -> None:
        """Store a tree of an earlier replay or merge in the repository."""
        pack.store(self._objects, [bytes.fromhex(tree)], self._stored)

    def _new_below(self, tip: Oid) -> Iterator[Oid]:
        while tip in self._new_commits:
            yield tip
            tip = self._new_commits[tip].parent

    def _real(self, oid: Oid) -> Oid:
        """Return the commit of the repository that a commit builds on, or is."""
        # the last chain grows from one replay to the next: a question about its base does not replace it
        return self._chain_below(oid).real if oid in self._new_commits else oid

    def _chain_below(self, tip: Oid) -> _Chain:
        """Return the new commits below a tip; if it extends the last chain, only the new part is read."""
        chain = self._chain
        added: list[_NewCommit] = []
        commit = tip
        while commit in self._new_commits and not (chain and chain.tip == commit):
            added.append(self._new_commits[commit])
            commit = added[-1].parent
        if chain is None or chain.tip != commit:
            chain = _Chain(commit, commit, {})
        chain.tip = tip
        for new in reversed(added):
            chain.changes.setdefault(outline(new.changes), []).append(new.changes)
        self._chain = chain
        return chain

    def _tree(self, commit: Oid) -> bytes:
        if commit not in self._trees:
            line = self._commit(commit).partition(b"\n")[0]
            self._trees[commit] = bytes.fromhex(line.removeprefix(b"tree ").decode("ascii"))
        return self._trees[commit]

    def _commit(self, oid: Oid) -> bytes:
        if oid not in self._raw_commits:
            self._raw_commits[oid] = self._objects.commit(oid)
        return self._raw_commits[oid]

    def _pick(self, pick: Pick, commits: CommitRange, onto: Oid, tip: Oid) -> Oid | Conflicted | None:
        """Return the commit of a pick on top of `tip`; None if `onto` or `tip` already has its change."""
        if pick.parent == tip:
            return pick.oid
        target = self._tree(tip)
        if not pick.changes:
            self._require_empty(pick)
        result = self._apply(pick, target) if pick.changes else (target, ())
        if result == (target, ()) and pick.changes:
            return None
        if pick.changes and self._has_same_change(pick, commits, onto):
            return None
        return result if isinstance(result, Conflicted) else self._add_commit(pick.oid, tip, *result)

    def _require_empty(self, pick: Pick) -> None:
        """Raise `GitFailed` for a commit that is not empty: `diff-tree` says nothing about a tree that is missing."""
        before = self._tree(pick.parent) if pick.parent else trees.EMPTY
        if self._tree(pick.oid) != before and trees.diff(self._objects, before, self._tree(pick.oid)):
            raise GitFailed("object-missing", f"the changes of {pick.oid} could not be read")

    def _add_commit(self, original: Oid, parent: Oid, tree: bytes, changes: Changes) -> Oid:
        raw = rewrite_commit(
            self._commit(original), tree.hex(), parent, self._committer, self.repository.commit_settings
        )
        oid = Oid(self._objects.add(NewObject(b"commit", raw, (tree,))).hex())
        self._new_commits[oid] = _NewCommit(parent, changes)
        self._trees[oid] = tree
        return oid

    def _apply(self, pick: Pick, target: bytes) -> tuple[bytes, Changes] | Conflicted:
        """Return the target tree with a pick's change, and what that changes; or how they conflict."""
        if self.whole_trees or pick.parent is None:
            return self._merge_trees(pick, target)
        path = find_fast_path(self._objects, pick.changes, target, self._tree(pick.parent), self._tree(pick.oid))
        return self._merge_trees(pick, target) if path is None else self._apply_fast(pick, path, target)

    def _apply_fast(self, pick: Pick, path: FastPath, target: bytes) -> tuple[bytes, Changes] | Conflicted:
        entries = dict(path.entries)
        outcome, merged_entries = self._merge_contents(path, target) if path.contents else (None, {})
        entries.update(merged_entries)
        tree = trees.change_paths(self._objects, target, entries) if entries else target
        if isinstance(outcome, Conflicted):
            return msgspec.structs.replace(outcome, commit=pick.oid, tree=Oid(tree.hex()))
        if tree == target:
            return target, ()
        taken_over = [change for change in pick.changes if change.path in path.entries]
        merged = [Change(change.path, current, entries[change.path]) for change, current in path.contents]
        changes = (*taken_over, *(change for change in merged if change.old != change.new))
        return tree, tuple(sorted(changes, key=lambda change: change.path))

    def _merge_contents(self, path: FastPath, target: bytes) -> tuple[Merged | Conflicted, dict[bytes, Entry | None]]:
        """Merge the files that both sides changed, in trees of nothing else; return the outcome and their entries."""
        paths = [change.path for change, _ in path.contents]
        attributes = self._attributes.for_paths(target, paths)
        may_apply = attributes or self._merges.may_have_attributes
        names = dict(zip(paths, paths if may_apply else _short_names(paths), strict=True))
        base_commit = self._side({names[change.path]: change.old for change, _ in path.contents}, None)
        our_commit = self._side({names[change.path]: entry for change, entry in path.contents}, base_commit)
        their_commit = self._side({names[change.path]: change.new for change, _ in path.contents}, base_commit)
        outcome = self._load(self._merges.merge(our_commit, their_commit, attributes), our_commit, their_commit)
        assert outcome.tree is not None
        tree = bytes.fromhex(outcome.tree)
        entries = {path: trees.find(self._objects, tree, name) for path, name in names.items()}
        merged = {path: entry if isinstance(entry, tuple) else None for path, entry in entries.items()}
        return _with_paths(outcome, names), merged

    def _side(self, entries: Mapping[bytes, Entry | None], base: Oid | None) -> Oid:
        return self._synthetic_commit(trees.change_paths(self._objects, b"", entries), base)

    def _synthetic_commit(self, tree: bytes, parent: Oid | None) -> Oid:
        name = self._objects.add(NewObject(b"commit", synthetic_commit(tree.hex(), parent), (tree,)))
        self._quarantine.write_tree(tree)
        self._quarantine.write(name)
        return Oid(name.hex())

    def _merge_trees(self, pick: Pick, target: bytes) -> tuple[bytes, Changes] | Conflicted:
        """Merge whole trees as git does, with renames."""
        commit = self._synthetic_commit(target, pick.parent)
        attributes = self._attributes.all(target)
        outcome = self._load(self._merges.merge(commit, pick.oid, attributes), commit, pick.oid)
        if isinstance(outcome, Conflicted):
            # a folder in conflict has no stage: the files could be resolved, and the folder would be overlooked
            is_hidden = bool(outcome.stages) and self._may_rename_folder(pick, target)
            return self._merges.add_unstaged((commit, pick.oid), attributes, outcome) if is_hidden else outcome
        tree = bytes.fromhex(outcome.tree)
        return tree, self._differences(target, tree)

    def _differences(self, old: bytes, new: bytes) -> Changes:
        differences = sorted(trees.diff(self._objects, old, new).items())
        return tuple(Change(path, before, after) for path, (before, after) in differences)

    def _may_rename_folder(self, pick: Pick, target: bytes) -> bool:
        if pick.parent is None:
            return False
        return may_rename_folder(self._objects, pick.changes, target, self._tree(pick.parent), self._tree(pick.oid))

    def _load(self, outcome: Merged | Conflicted, *sides: Oid) -> Merged | Conflicted:
        """Load the tree of a merge into memory, except what it has from one of the merged commits."""
        if outcome.tree is not None:
            self._quarantine.load_tree(bytes.fromhex(outcome.tree), *map(self._tree, sides))
        return outcome

    def _write_to_quarantine(self, commit: Oid) -> None:
        """Make a commit of an earlier replay visible to git processes of the quarantine."""
        for oid in reversed([*self._new_below(commit)]):
            self._quarantine.write_tree(self._tree(oid))
            self._quarantine.write(bytes.fromhex(oid))

    def _has_same_change(self, pick: Pick, commits: CommitRange, onto: Oid) -> bool:
        """Return whether a commit that `onto` has and the branch has not makes the same change as a pick.

        What the branch itself does twice (add, remove, add again) is done twice.
        """
        chain = self._chain_below(onto)
        if self._history.is_stack(commits, chain.real):
            return False
        key = outline(pick.changes)
        if any(self._patches.are_same(pick.changes, changes) for changes in chain.changes.get(key, ())):
            return True
        candidates = self._picks_by_outline(chain.real).get(key, ())
        if not candidates:
            return False
        on_branch = self._history.reachable(commits.tip)
        upstream = (candidate for candidate in candidates if candidate.oid not in on_branch)
        return any(self._patches.are_same(pick.changes, other.changes) for other in upstream)

    def _picks_by_outline(self, real: Oid) -> dict[Outline, list[Pick]]:
        """Return the commits below a commit that were read, by the outline of what they change."""
        if self._earlier is None or self._earlier[0] != real:
            by_outline: dict[Outline, list[Pick]] = {}
            for oid in self._history.ancestors(real):
                pick = self._history.pick(oid)
                if pick.changes:
                    by_outline.setdefault(outline(pick.changes), []).append(pick)
            self._earlier = (real, by_outline)
        return self._earlier[1]


def replay(repository: Repository, base: Oid, tip: Oid, onto: Oid) -> Replayed | Conflicted:
    """Replay the own commits `base..tip` onto `onto`, and store the result in the repository."""
    with MemoryReplayer(repository) as replayer:
        result = replayer.replay(CommitRange(base, tip), onto)
        if isinstance(result, Replayed):
            replayer.keep(result.tip)
        return result


def _short_names(paths: Sequence[bytes]) -> list[bytes]:
    """Return names for files that are merged alone, in few folders: less has to be written and read."""
    names = [path.rpartition(b"/")[2] for path in paths]
    return names if len(names) == 1 else [b"%d/%s" % (number, name) for number, name in enumerate(names)]


def _with_paths(outcome: Merged | Conflicted, names: Mapping[bytes, bytes]) -> Merged | Conflicted:
    """Return an outcome that has the files' own paths instead of the names they were merged by."""
    if isinstance(outcome, Merged):
        return outcome
    paths = {_text(name): _text(path) for path, name in names.items()}
    stages = tuple(msgspec.structs.replace(stage, path=paths[stage.path]) for stage in outcome.stages)
    return msgspec.structs.replace(outcome, paths=tuple(paths[name] for name in outcome.paths), stages=stages)


def _paths(changes: Iterable[Change]) -> frozenset[str]:
    return frozenset(_text(change.path) for change in changes)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
