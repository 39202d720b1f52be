"""The commits that replays made, on top of those of the repository: their trees, parents and changes, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from gitorch.git.repository import Repository
from gitorch.git.writing.pack_format import NewObject
from gitorch.model.naming import Oid
from gitorch.replay.commit_bytes import rewrite_commit
from gitorch.replay.history import Changes
from gitorch.replay.objects import Objects
from gitorch.replay.patches import Outline, outline


class NewCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit that was made here: its parent, and what it changes."""

    parent: Oid
    changes: Changes


class Chain(msgspec.Struct):
    """The new commits between a tip and the `real` commit below them, by the outline of what they change."""

    tip: Oid
    real: Oid
    changes: dict[Outline, list[Changes]]


class NewCommits:
    """Makes commits in memory, and knows what is below each of them."""

    def __init__(self, repository: Repository, objects: Objects) -> None:
        self._repository = repository
        self._objects = objects
        self._raw: dict[Oid, bytes] = {}
        self._trees: dict[Oid, bytes] = {}
        self._new: dict[Oid, NewCommit] = {}
        self._chain: Chain | None = None

    @cached_property
    def _committer(self) -> str:
        return self._repository.committer()

    def preload(self, names: Iterable[Oid], contents: Iterable[bytes]) -> None:
        """Take over commits of the repository that were read together."""
        self._raw |= zip(names, contents, strict=True)

    def add(self, original: Oid, parent: Oid, tree: bytes, changes: Changes) -> Oid:
        """Make a commit with another tree and parent than `original`; the rest is as `git rebase` writes it."""
        settings = self._repository.commit_settings
        raw = rewrite_commit(self._content(original), tree.hex(), parent, self._committer, settings)
        oid = Oid(self._objects.add(NewObject(b"commit", raw, (tree,))).hex())
        self._new[oid] = NewCommit(parent, changes)
        self._trees[oid] = tree
        return oid

    def tree(self, commit: Oid) -> bytes:
        """Return the tree of a commit of the repository or of one made here."""
        if commit not in self._trees:
            line = self._content(commit).partition(b"\n")[0]
            self._trees[commit] = bytes.fromhex(line.removeprefix(b"tree ").decode("ascii"))
        return self._trees[commit]

    def below(self, tip: Oid) -> Iterator[tuple[Oid, NewCommit]]:
        """Yield the new commits from a tip down to the repository's."""
        while (commit := self._new.get(tip)) is not None:
            yield tip, commit
            tip = commit.parent

    def real(self, oid: Oid) -> Oid:
        """Return the commit of the repository that a commit builds on, or is."""
        # the last chain grows from one replay to the next: a question about its base does not replace it
        return self.chain(oid).real if oid in self._new else oid

    def chain(self, tip: Oid) -> Chain:
        """Return the new commits below a tip; if it extends the last chain, only the new part is read."""
        chain = self._chain
        added: list[NewCommit] = []
        commit = tip
        while commit in self._new and not (chain and chain.tip == commit):
            added.append(self._new[commit])
            commit = added[-1].parent
        if chain is None or chain.tip != commit:
            chain = Chain(commit, commit, {})
        chain.tip = tip
        for new in reversed(added):
            chain.changes.setdefault(outline(new.changes), []).append(new.changes)
        self._chain = chain
        return chain

    def _content(self, oid: Oid) -> bytes:
        if oid not in self._raw:
            self._raw[oid] = self._objects.commit(oid)
        return self._raw[oid]
