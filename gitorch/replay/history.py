"""What commits change and what they come from, read for many branches at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay.objects import Entry
from gitorch.replay.values import CommitRange

_BUFFERED = {"GIT_FLUSH": "0"}
"""Without it, git writes each line of a long list by itself."""
_REMEMBERED = 2
"""How many growing sequences of tips are remembered with what they reach."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What a commit does to one path: its entry before and after (None: there is none)."""

    path: bytes
    old: Entry | None
    new: Entry | None


Changes = tuple[Change, ...]


class Pick(msgspec.Struct, frozen=True, gc=False):
    """A commit to replay: its first parent (None: it has none), and what it changes."""

    oid: Oid
    parent: Oid | None
    changes: Changes


class History:
    """The part of a repository's history that replays need: read in bulk, then used branch by branch."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._tips: set[Oid] = set()
        self._bases: set[Oid] = set()
        self._read_excluded: tuple[Oid, ...] = ()  # the last growing sequence that was found to be read
        self._parents: dict[Oid, tuple[Oid, ...]] = {}
        self._changes: dict[Oid, Changes] = {}
        self._reachable: list[tuple[tuple[Oid, ...], set[Oid]]] = []
        self._below: tuple[Oid, set[Oid]] | None = None

    def read(self, ranges: Iterable[CommitRange], onto: Oid) -> None:
        """Read all commits between these branches' tips and what all of them have in common with `onto`."""
        missing = [commits for commits in ranges if not self._has_read(commits, onto)]
        if not missing:
            return
        tips = {
            onto,
            *(commits.tip for commits in missing),
            *(tip for commits in missing for tip in commits.excluded),
        }
        bases = {onto, *(commits.base for commits in missing)}
        # always all of it: two readings with different ends would leave out what lies between them
        lines = self._list_all(self._tips | tips, self._bases | bases, onto)
        new = [line for line in lines if Oid(line.partition(" ")[0]) not in self._changes]
        self._changes |= _read_changes(self.repository, new)
        # only now: what could not be read is not to count as read
        self._tips |= tips
        self._bases |= bases
        self._parents = dict(map(_parents, lines))
        self._reachable = []
        self._below = None

    def _has_read(self, commits: CommitRange, onto: Oid) -> bool:
        # a commit in the middle of a branch was read with it, and with all that is below it
        has_tip = commits.tip in self._tips or commits.tip in self._parents or commits.tip == commits.base
        has_base = commits.base in self._bases or commits.base in self._parents
        if has_tip and has_base and onto in self._tips and onto in self._bases:
            excluded = commits.excluded
            checked = self._read_excluded if excluded[: len(self._read_excluded)] == self._read_excluded else ()
            if self._tips.issuperset(excluded[len(checked) :]):
                self._read_excluded = excluded
                return True
        return False

    def _list_all(self, tips: Collection[Oid], bases: Collection[Oid], onto: Oid) -> list[str]:
        """Return the lines of all commits between these tips and what the bases have in common.

        A base that is also a tip mostly builds on another base, and then has in common what that one has: it is left
        out of the question for that, which takes long for many. Whether it does is seen in the answer.
        """
        ends = {onto, *(base for base in bases if base not in tips)}
        lines = self._list_commits(tips, ends).splitlines()
        if len(ends) < len(bases):
            parents = dict(map(_parents, lines))
            if not all(_builds_on(base, ends, parents) for base in bases):
                lines = self._list_commits(tips, bases).splitlines()
        return lines

    def _list_commits(self, tips: Collection[Oid], bases: Collection[Oid]) -> str:
        lines = [*sorted(tips), *(f"^{oid}" for oid in self._common_base(bases)), ""]
        words = ("rev-list", "--parents", "--stdin")
        return self.repository.git(*words, input="\n".join(lines).encode(), env=_BUFFERED).text

    def _common_base(self, bases: Collection[Oid]) -> list[Oid]:
        if len(bases) == 1:
            return list(bases)
        answer = self.repository.git("merge-base", "--octopus", *sorted(bases), ok=(0, 1))
        return [Oid(answer.text)] if answer.code == 0 else []

    def picks(self, commits: CommitRange, real: Oid) -> list[Pick]:
        """Return a branch's own commits, oldest first, without merges and without what `real` reaches."""
        line = self._plain_line(commits, self.reachable_from((real, *commits.excluded)))
        return [self.pick(oid) for oid in (self._sorted(commits, real) if line is None else reversed(line))]

    def merges(self, commits: CommitRange, real: Oid) -> list[Oid]:
        """Return a branch's own merge commits, oldest first."""
        if self._plain_line(commits, self.reachable_from((real, *commits.excluded))) is not None:
            return []
        return self._list(commits, real, "--min-parents=2")

    def _plain_line(self, commits: CommitRange, excluded: set[Oid]) -> list[Oid] | None:
        """Return a branch's own commits, newest first, if they are a plain line; None if they are not."""
        line: list[Oid] = []
        commit = commits.tip
        while commit != commits.base and commit not in excluded:
            parents = self._parents.get(commit)
            if parents is None or len(parents) != 1:
                return None
            line.append(commit)
            commit = parents[0]
        return line

    def _sorted(self, commits: CommitRange, real: Oid) -> list[Oid]:
        return self._list(commits, real, "--no-merges")

    def _list(self, commits: CommitRange, real: Oid, kind: str) -> list[Oid]:
        without = (f"^{oid}" for oid in (real, commits.base, *commits.excluded))
        words = ("rev-list", "--reverse", "--topo-order", kind, commits.tip)
        return [Oid(line) for line in self.repository.git(*words, *without).text.splitlines()]

    def is_stack(self, commits: CommitRange, real: Oid) -> bool:
        """Return whether a branch starts on commits that `real` does not have."""
        return commits.base in self._parents and commits.base not in self.ancestors(real)

    def rooted(self, ranges: Sequence[CommitRange], real: Oid, tips: tuple[Oid, ...]) -> list[bool]:
        """Return for each branch whether `real`, these tips or another rooted branch reach its base."""
        self.read([CommitRange(real, real, (*tips, *(commits.tip for commits in ranges)))], real)
        known = self.reachable_from((real, *tips))
        if all(commits.base in known or commits.base not in self._parents for commits in ranges):
            return [True] * len(ranges)
        reached = set(known)
        rooted: dict[int, bool] = {}
        has_grown = True
        while has_grown:
            has_grown = False
            for number, commits in enumerate(ranges):
                # what was not read is below all that was
                if number not in rooted and (commits.base in reached or commits.base not in self._parents):
                    rooted[number] = has_grown = True
                    self._add_reachable(commits.tip, reached)
        return [number in rooted for number in range(len(ranges))]

    def between(self, base: Oid, real: Oid) -> list[Pick]:
        """Return the commits that a commit reaches and `base` does not, the newest first and without merges."""
        above, below = self.ancestors(real), self.reachable(base)
        return [
            self.pick(oid)
            for oid, parents in self._parents.items()
            if oid in above and oid not in below and len(parents) == 1
        ]

    def ancestors(self, real: Oid) -> set[Oid]:
        """Return all commits of the part that was read that a commit reaches; the last answer is remembered."""
        if self._below is None or self._below[0] != real:
            self._below = (real, self.reachable(real))
        return self._below[1]

    def pick(self, oid: Oid) -> Pick:
        """Return what one commit of the part that was read does."""
        parents = self._parents[oid]
        return Pick(oid, parents[0] if parents else None, self._changes.get(oid, ()))

    def reachable_from(self, tips: Sequence[Oid]) -> set[Oid]:
        """Return all commits of the part that was read that these tips reach; a growing sequence grows one set.

        A planner asks in turns about what is in with the tasks before and about what was in already.
        """
        wanted = tuple(tips)
        begun = [entry for entry in self._reachable if wanted[: len(entry[0])] == entry[0]]
        earlier = max(begun, key=lambda entry: len(entry[0]), default=((), set[Oid]()))
        previous, commits = earlier
        for tip in wanted[len(previous) :]:
            self._add_reachable(tip, commits)
        others = [entry for entry in self._reachable if entry is not earlier]
        self._reachable = [(wanted, commits), *others[: _REMEMBERED - 1]]
        return commits

    def reachable(self, tip: Oid) -> set[Oid]:
        """Return all commits of the part that was read that a tip reaches."""
        commits: set[Oid] = set()
        self._add_reachable(tip, commits)
        return commits

    def _add_reachable(self, tip: Oid, commits: set[Oid]) -> None:
        pending = [tip]
        while pending:
            oid = pending.pop()
            if oid not in commits and oid in self._parents:
                commits.add(oid)
                pending.extend(self._parents[oid])


def _parents(line: str) -> tuple[Oid, tuple[Oid, ...]]:
    oid, *parents = line.split(" ")
    return Oid(oid), tuple(Oid(parent) for parent in parents)


def _builds_on(commit: Oid, ends: Collection[Oid], parents: Mapping[Oid, tuple[Oid, ...]]) -> bool:
    """Return whether one of these commits is below a commit, along its first parents."""
    while commit not in ends:
        if not parents.get(commit):
            return False
        commit = parents[commit][0]
    return True


_RAW = (
    "diff-tree",
    "--stdin",
    "-r",
    "--root",
    "--raw",
    "-z",
    "--no-renames",
    "--no-abbrev",
    "--ignore-submodules=none",
)


def _read_changes(repository: Repository, lines: Sequence[str]) -> dict[Oid, Changes]:
    """Return what each of these commits changes; nothing for merges."""
    # git reads a line of some thousand bytes in parts, and then takes the next commit for one of its parents
    lines = [line for line in lines if line.count(" ") < 2]
    if not lines:
        return {}
    by_commit: dict[Oid, list[Change]] = {}
    changes: list[Change] = []
    output = repository.git(*_RAW, input="\n".join([*lines, ""]).encode(), env=_BUFFERED).stdout
    tokens = iter(output.split(b"\0"))
    for token in tokens:
        if token.startswith(b":"):
            changes.append(_change(token, next(tokens)))
        elif token:
            changes = by_commit.setdefault(Oid(token.decode("ascii")), [])
    return {oid: tuple(changes) for oid, changes in by_commit.items()}


def _change(token: bytes, path: bytes) -> Change:
    """Read `:old-mode new-mode old-id new-id status`; mode 0 means that there is no entry."""
    old_mode, new_mode, old, new, _ = token[1:].split(b" ")
    return Change(path, _entry(old_mode, old), _entry(new_mode, new))


def _entry(mode: bytes, digits: bytes) -> Entry | None:
    return (mode, bytes.fromhex(digits.decode("ascii"))) if mode != b"000000" else None
