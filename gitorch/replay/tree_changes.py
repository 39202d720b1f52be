"""Put what a commit changes onto a tree: path by path where that is possible, else by git's own merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gitorch.git.repository import GitFailed, Repository
from gitorch.git.writing.pack_format import NewObject
from gitorch.model.naming import Oid
from gitorch.replay import trees
from gitorch.replay.attributes import AttributeReader
from gitorch.replay.commit_bytes import synthetic_commit
from gitorch.replay.fast_path import FastPath, find_fast_path, may_rename_folder
from gitorch.replay.history import Change, Changes, Pick
from gitorch.replay.merge_tree import MergeTrees
from gitorch.replay.new_commits import NewCommits
from gitorch.replay.objects import Entry, Objects
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.values import Conflicted, Merged

_MAX_UNLOADED = 256
"""After how many merges that nobody loads their files are removed: they take memory."""


class TreeChanges:
    """Merges trees in memory, through a batch process of git where needed.

    With `whole_trees` every pick is git's own merge of whole trees. Otherwise paths that only one side changed are
    taken over, files that both sides changed are merged alone, and git's merge does the rest: the result is the same.
    """

    def __init__(
        self,
        repository: Repository,
        objects: Objects,
        quarantine: Quarantine,
        commits: NewCommits,
        *,
        whole_trees: bool,
    ) -> None:
        self._objects = objects
        self._quarantine = quarantine
        self._commits = commits
        self._whole_trees = whole_trees
        self._merges = MergeTrees(repository, quarantine, objects.read)
        self._attributes = AttributeReader(objects)
        self._unloaded = 0

    def close(self) -> None:
        """End git's merge process."""
        self._merges.close()

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

    def merge_on(self, base: Oid, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits as if nothing but `base` were below both, with the `.gitattributes` of the first."""
        target = self._commits.tree(ours)
        sides = (self._synthetic_commit(target, base), self._synthetic_commit(self._commits.tree(theirs), base))
        return self._load(self._merges.merge(*sides, self._attributes.all(target)), *sides)

    def apply(self, pick: Pick, target: bytes) -> tuple[bytes, Changes] | Conflicted:
        """Return the target tree with a pick's change, and what that changes; or how they conflict."""
        if self._whole_trees or pick.parent is None:
            return self._merge_trees(pick, target)
        path = find_fast_path(
            self._objects, pick.changes, target, self._commits.tree(pick.parent), self._commits.tree(pick.oid)
        )
        return self._merge_trees(pick, target) if path is None else self._apply_fast(pick, path, target)

    def require_empty(self, pick: Pick) -> None:
        """Raise `GitFailed` for a commit that is not empty: `diff-tree` says nothing about a tree that is missing."""
        before = self._commits.tree(pick.parent) if pick.parent else trees.EMPTY
        after = self._commits.tree(pick.oid)
        if after != before and trees.diff(self._objects, before, after):
            raise GitFailed("object-missing", f"the changes of {pick.oid} could not be read")

    def _merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        self._write_to_quarantine(ours)
        self._write_to_quarantine(theirs)
        return self._merges.merge(ours, theirs, self._attributes.all(self._commits.tree(ours)))

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
        return tree, self.differences(target, tree)

    def differences(self, old: bytes, new: bytes) -> Changes:
        differences = sorted(trees.diff(self._objects, old, new).items())
        return tuple(Change(path, before, after) for path, (before, after) in differences)

    def _may_rename_folder(self, pick: Pick, target: bytes) -> bool:
        if pick.parent is None:
            return False
        return may_rename_folder(
            self._objects, pick.changes, target, self._commits.tree(pick.parent), self._commits.tree(pick.oid)
        )

    def _load(self, outcome: Merged | Conflicted, *sides: Oid) -> Merged | Conflicted:
        """Load the tree of a merge into memory, except what it has from one of the merged commits."""
        if outcome.tree is not None:
            self._quarantine.load_tree(bytes.fromhex(outcome.tree), *map(self._commits.tree, sides))
        return outcome

    def _write_to_quarantine(self, commit: Oid) -> None:
        """Make a commit of an earlier replay visible to git processes of the quarantine."""
        for oid in reversed([oid for oid, _ in self._commits.below(commit)]):
            self._quarantine.write_tree(self._commits.tree(oid))
            self._quarantine.write(bytes.fromhex(oid))


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


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
