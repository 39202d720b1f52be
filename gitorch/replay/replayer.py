"""The merge engine: many replays that share what was read, in memory until they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import pack, trees
from gitorch.replay.attributes import AttributesOf
from gitorch.replay.commit_bytes import rewritten, stand_in
from gitorch.replay.fast_path import Overlay, overlay
from gitorch.replay.history import Change, Changes, History, Pick
from gitorch.replay.merge_tree import MergeTrees
from gitorch.replay.objects import Entry, Made, Objects
from gitorch.replay.patches import Outline, Patches, outline
from gitorch.replay.quarantine import Quarantine
from gitorch.replay.values import Conflicted, Merged, Own, Replayed


class _Landed(msgspec.Struct, frozen=True, gc=False):
    """A commit that was made here: what it stands on, and what it changes there."""

    parent: Oid
    changes: Changes


class _Chain(msgspec.Struct):
    """The commits that were made here and that a tip stands on, by the outline of what they change."""

    tip: Oid
    real: Oid
    landed: dict[Outline, list[Changes]]


class Replayer:
    """Replays and merges commits of one repository. Nothing of it is visible to others until `keep`.

    With `whole` every pick is git's own merge of whole trees. Otherwise what changes paths that nobody else has touched
    is laid over the tree, files that both sides changed are merged alone, and the rest is left to git's merge: the
    result is the same.
    """

    def __init__(self, repository: Repository, *, whole: bool = False) -> None:
        self.repository = repository
        self.whole = whole
        self._objects = Objects(repository)
        self._quarantine = Quarantine(repository, self._objects)
        self._history = History(repository)
        self._merges = MergeTrees(repository, self._quarantine, self._objects.read)
        self._patches = Patches(repository, self._objects, self._quarantine)
        self._attributes = AttributesOf(self._objects)
        self._landed: dict[Oid, _Landed] = {}
        self._trees: dict[Oid, bytes] = {}
        self._chain: _Chain | None = None
        self._earlier: tuple[Oid, dict[Outline, list[Pick]]] | None = None
        self._kept: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes of this replayer, and forget what was not kept."""
        with ExitStack() as stack:
            for one in (self._quarantine, self._objects, self._merges, self._patches):
                stack.callback(one.close)

    def read(self, owns: Iterable[Own], onto: Oid) -> None:
        """Read what these replays onto `onto` will need, all at once: an optimisation, never needed."""
        wanted = list(owns)
        self._objects.use_ids_like(onto)
        self._history.read(wanted, self._real(onto))
        picks = [pick.oid for own in wanted for pick in self._history.picks(own, self._real(onto))]
        self._raw |= zip(picks, self._objects.read_all(map(bytes.fromhex, picks)), strict=True)

    @cached_property
    def _raw(self) -> dict[Oid, bytes]:
        """Commits by id, as bytes."""
        return {}

    @cached_property
    def _committer(self) -> str:
        return self.repository.committer()

    def replay(self, own: Own, onto: Oid) -> Replayed | Conflicted:
        """Replay own commits onto a commit, of the repository or an earlier replay's.

        As `git rebase` does, to the same commit ids: in topological order, merges left out, author, dates and message
        kept (in UTF-8), a commit that is already on top kept as it is, a change that is already there dropped (by patch
        id; for a stack, as with `rebase --onto`, only by its result), an originally empty commit kept. Writes nothing
        into the repository.
        """
        here = onto
        pairs: list[tuple[Oid, Oid]] = []
        dropped: list[Oid] = []
        for pick in self.picks(own, onto):
            picked = self._picked(pick, own, onto, here)
            if isinstance(picked, Conflicted):
                return picked
            if picked is None:
                dropped.append(pick.oid)
            else:
                here = picked
                pairs.append((pick.oid, here))
        return Replayed(here, tuple(pairs), tuple(dropped))

    def picks(self, own: Own, onto: Oid) -> list[Pick]:
        """Return the own commits that a replay onto a commit would pick, oldest first."""
        self._objects.use_ids_like(onto)
        real = self._real(onto)
        self._history.read([own], real)
        return self._history.picks(own, real)

    def paths(self, own: Own, onto: Oid) -> frozenset[str]:
        """Return the paths that own commits change."""
        changes = (change for pick in self.picks(own, onto) for change in pick.changes)
        return frozenset(_text(change.path) for change in changes)

    def merge(self, ours: Oid, theirs: Oid) -> Merged | Conflicted:
        """Merge two commits, by the `.gitattributes` of the first."""
        self._objects.use_ids_like(ours)
        self._show(ours)
        self._show(theirs)
        return self._taken(self._merges.merge(ours, theirs, self._attributes.all(self._tree(ours))), self._tree(ours))

    def tree(self, commit: Oid) -> Oid:
        """Return the tree of a commit, of the repository or an earlier replay's."""
        return Oid(self._tree(commit).hex())

    def file(self, tree: Oid, path: str) -> bytes | None:
        """Return a file of a tree, of the repository or an earlier result's (`Conflicted.tree`); None where none is."""
        entry = trees.find(self._objects, bytes.fromhex(tree), path.encode("utf-8", "surrogateescape"))
        return self._objects.read(entry[1]) if isinstance(entry, tuple) else None

    def keep(self, *tips: Oid) -> None:
        """Store all that these commits need in the repository, durably. No ref is moved."""
        line = [oid for tip in tips for oid in reversed([*self._made_below(tip)])]
        pack.store(self._objects, map(bytes.fromhex, line), self._kept)

    def keep_tree(self, tree: Oid) -> None:
        """Store a tree that a merge made in the repository, durably."""
        pack.store(self._objects, [bytes.fromhex(tree)], self._kept)

    def _made_below(self, tip: Oid) -> Iterator[Oid]:
        while tip in self._landed:
            yield tip
            tip = self._landed[tip].parent

    def _real(self, oid: Oid) -> Oid:
        """Return the commit of the repository that a commit stands on, or is."""
        return self._stack(oid).real

    def _stack(self, tip: Oid) -> _Chain:
        """Return what was made below a tip; where it goes on from the last one asked for, only what is new is read."""
        chain = self._chain
        fresh: list[_Landed] = []
        here = tip
        while here in self._landed and not (chain and chain.tip == here):
            fresh.append(self._landed[here])
            here = fresh[-1].parent
        if chain is None or chain.tip != here:
            chain = _Chain(here, here, {})
        chain.tip = tip
        for one in reversed(fresh):
            chain.landed.setdefault(outline(one.changes), []).append(one.changes)
        self._chain = chain
        return chain

    def _tree(self, commit: Oid) -> bytes:
        if commit not in self._trees:
            line = self._commit(commit).partition(b"\n")[0]
            self._trees[commit] = bytes.fromhex(line.removeprefix(b"tree ").decode("ascii"))
        return self._trees[commit]

    def _commit(self, oid: Oid) -> bytes:
        if oid not in self._raw:
            self._raw[oid] = self._objects.commit(oid)
        return self._raw[oid]

    def _picked(self, pick: Pick, own: Own, onto: Oid, here: Oid) -> Oid | Conflicted | None:
        """Return the commit that stands for a pick on top of `here`; None when `onto` or `here` has its change."""
        if pick.parent == here:
            return pick.oid
        there = self._tree(here)
        combined = self._combined(pick, there) if pick.changes else (there, ())
        if combined == (there, ()) and pick.changes:
            return None
        if pick.changes and self._is_there(pick, own, onto):
            return None
        return combined if isinstance(combined, Conflicted) else self._write(pick, here, *combined)

    def _write(self, pick: Pick, here: Oid, tree: bytes, changes: Changes) -> Oid:
        raw = rewritten(self._commit(pick.oid), tree.hex(), here, self._committer)
        oid = Oid(self._objects.add(Made(b"commit", raw, (tree,))).hex())
        self._landed[oid] = _Landed(here, changes)
        self._trees[oid] = tree
        return oid

    def _combined(self, pick: Pick, there: bytes) -> tuple[bytes, Changes] | Conflicted:
        """Return the tree with a pick's change, and what that changes; or how they conflict."""
        if self.whole or pick.parent is None:
            return self._merged_whole(pick, there)
        found = overlay(self._objects, pick.changes, there, self._tree(pick.parent), self._tree(pick.oid))
        if found is None:
            return self._merged_whole(pick, there)
        return self._laid_over(pick, found, there)

    def _laid_over(self, pick: Pick, found: Overlay, there: bytes) -> tuple[bytes, Changes] | Conflicted:
        entries = dict(found.entries)
        outcome, merged_entries = self._merged_alone(found, there) if found.contents else (None, {})
        entries.update(merged_entries)
        tree = trees.changed(self._objects, there, entries) if entries else there
        if isinstance(outcome, Conflicted):
            return msgspec.structs.replace(outcome, commit=pick.oid, tree=Oid(tree.hex()))
        if tree == there:
            return there, ()
        own = [change for change in pick.changes if change.path in found.entries]
        merged = [Change(change.path, ours, entries[change.path]) for change, ours in found.contents]
        changes = (*own, *(change for change in merged if change.old != change.new))
        return tree, tuple(sorted(changes, key=lambda change: change.path))

    def _merged_alone(self, found: Overlay, there: bytes) -> tuple[Merged | Conflicted, dict[bytes, Entry | None]]:
        """Merge the files that both sides changed, in trees that hold nothing else; return their entries, too."""
        paths = [change.path for change, _ in found.contents]
        attributes = self._attributes.paths(there, paths)
        names = dict(
            zip(paths, paths if attributes or self._merges.may_have_attributes else _shortened(paths), strict=True)
        )
        base = self._side({names[change.path]: change.old for change, _ in found.contents}, None)
        ours = self._side({names[change.path]: entry for change, entry in found.contents}, base)
        theirs = self._side({names[change.path]: change.new for change, _ in found.contents}, base)
        outcome = self._taken(self._merges.merge(ours, theirs, attributes), self._tree(ours))
        assert outcome.tree is not None
        result = bytes.fromhex(outcome.tree)
        entries = {path: trees.find(self._objects, result, name) for path, name in names.items()}
        return _renamed(outcome, names), {
            path: entry if isinstance(entry, tuple) else None for path, entry in entries.items()
        }

    def _side(self, entries: Mapping[bytes, Entry | None], base: Oid | None) -> Oid:
        return self._stand_in(trees.changed(self._objects, b"", entries), base)

    def _stand_in(self, tree: bytes, parent: Oid | None) -> Oid:
        name = self._objects.add(Made(b"commit", stand_in(tree.hex(), parent), (tree,)))
        self._quarantine.write_tree(tree)
        self._quarantine.write(name)
        return Oid(name.hex())

    def _merged_whole(self, pick: Pick, there: bytes) -> tuple[bytes, Changes] | Conflicted:
        """Merge as git does, with renames and all."""
        ours = self._stand_in(there, pick.parent)
        outcome = self._taken(self._merges.merge(ours, pick.oid, self._attributes.all(there)), there)
        if isinstance(outcome, Conflicted):
            return outcome
        tree = bytes.fromhex(outcome.tree)
        found = sorted(trees.differences(self._objects, there, tree).items())
        return tree, tuple(Change(path, old, new) for path, (old, new) in found)

    def _taken(self, outcome: Merged | Conflicted, beside: bytes) -> Merged | Conflicted:
        """Take the tree of a merge into memory, as far as it is new."""
        if outcome.tree is not None:
            self._quarantine.take_in(bytes.fromhex(outcome.tree), beside)
        return outcome

    def _show(self, commit: Oid) -> None:
        """Let git see a commit that was made here."""
        for oid in reversed([*self._made_below(commit)]):
            self._quarantine.write_tree(self._tree(oid))
            self._quarantine.write(bytes.fromhex(oid))

    def _is_there(self, pick: Pick, own: Own, onto: Oid) -> bool:
        """Tell whether what `onto` has and the branch has not makes the same change as a pick.

        What the branch itself does twice (add, remove, add again) is done twice.
        """
        chain = self._stack(onto)
        if self._history.is_stack(own, chain.real):
            return False
        outlined = outline(pick.changes)
        if any(self._patches.same(pick.changes, one) for one in chain.landed.get(outlined, ())):
            return True
        candidates = self._by_outline(chain.real).get(outlined, ())
        if not candidates:
            return False
        theirs = self._history.reached(own.tip)
        return any(one.oid not in theirs and self._patches.same(pick.changes, one.changes) for one in candidates)

    def _by_outline(self, real: Oid) -> dict[Outline, list[Pick]]:
        """Return the commits that a commit reaches, as far as they were read, by the outline of what they change."""
        if self._earlier is None or self._earlier[0] != real:
            found: dict[Outline, list[Pick]] = {}
            for oid in self._history.beneath(real):
                pick = self._history.pick(oid)
                if pick.changes:
                    found.setdefault(outline(pick.changes), []).append(pick)
            self._earlier = (real, found)
        return self._earlier[1]


def _shortened(paths: Sequence[bytes]) -> list[bytes]:
    """Return names for files that are merged alone, in few folders: the fewer, the less has to be written and read."""
    names = [path.rpartition(b"/")[2] for path in paths]
    return names if len(names) == 1 else [b"%d/%s" % (number, name) for number, name in enumerate(names)]


def _renamed(outcome: Merged | Conflicted, names: Mapping[bytes, bytes]) -> Merged | Conflicted:
    """Return an outcome that tells of the files by their own paths."""
    if isinstance(outcome, Merged):
        return outcome
    own = {_text(name): _text(path) for path, name in names.items()}
    stages = tuple(msgspec.structs.replace(stage, path=own[stage.path]) for stage in outcome.stages)
    return msgspec.structs.replace(outcome, paths=tuple(own[path] for path in outcome.paths), stages=stages)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def replay(repository: Repository, base: Oid, tip: Oid, onto: Oid) -> Replayed | Conflicted:
    """Replay the own commits `base..tip` onto `onto`, and store the result in the repository."""
    with Replayer(repository) as replayer:
        done = replayer.replay(Own(base, tip), onto)
        if isinstance(done, Replayed):
            replayer.keep(done.tip)
        return done
