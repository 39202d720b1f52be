"""What commits change and what they come from, read for many branches at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay.objects import Entry
from gitorch.replay.values import Own


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
    """The part of a repository's history that replays need: read in bulk, then asked branch by branch."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._tips: set[Oid] = set()
        self._bases: set[Oid] = set()
        self._others: tuple[Oid, ...] = ()  # the last ones that were seen to be read, of a sequence that grows
        self._parents: dict[Oid, tuple[Oid, ...]] = {}
        self._changes: dict[Oid, Changes] = {}
        self._foreign: tuple[tuple[Oid, ...], set[Oid]] = ((), set())
        self._beneath: tuple[Oid, set[Oid]] | None = None

    def read(self, owns: Iterable[Own], onto: Oid) -> None:
        """Read all commits between these branches' tips and what all of them have in common with `onto`."""
        wanted = [own for own in owns if not self._has_read(own, onto)]
        if not wanted:
            return
        tips = {onto, *(own.tip for own in wanted), *(one for own in wanted for one in own.others)}
        bases = {onto, *(own.base for own in wanted)}
        # always all of it: two readings with different ends would not tell what lies between them
        self._tips |= tips
        self._bases |= bases
        listing = self._listing()
        self._parents = dict(_parents(line) for line in listing.splitlines())
        self._foreign = ((), set())
        self._beneath = None
        fresh = [line for line in listing.splitlines() if Oid(line.partition(" ")[0]) not in self._changes]
        self._changes |= _changes(self.repository, fresh)

    def _has_read(self, own: Own, onto: Oid) -> bool:
        if {onto, own.tip} <= self._tips and {onto, own.base} <= self._bases:
            checked = self._others if own.others[: len(self._others)] == self._others else ()
            if self._tips.issuperset(own.others[len(checked) :]):
                self._others = own.others
                return True
        return False

    def _listing(self) -> str:
        common = self._common()
        asked = [*sorted(self._tips), *(f"^{one}" for one in common)]
        return self.repository.git("rev-list", "--parents", "--stdin", input="\n".join([*asked, ""]).encode()).text

    def _common(self) -> list[Oid]:
        if len(self._bases) == 1:
            return list(self._bases)
        answer = self.repository.git("merge-base", "--octopus", *sorted(self._bases), ok=(0, 1))
        return [Oid(answer.text)] if answer.code == 0 else []

    def picks(self, own: Own, real: Oid) -> list[Pick]:
        """Return a branch's own commits, oldest first, without merges and without what `real` reaches."""
        line = self._line(own, self.foreign((real, *own.others)))
        return [self.pick(oid) for oid in (self._sorted(own, real) if line is None else reversed(line))]

    def _line(self, own: Own, foreign: set[Oid]) -> list[Oid] | None:
        """Return a branch's own commits, newest first, where they are a plain line; None where they are not."""
        line: list[Oid] = []
        here = own.tip
        while here != own.base and here not in foreign:
            parents = self._parents.get(here)
            if parents is None or len(parents) != 1:
                return None
            line.append(here)
            here = parents[0]
        return line

    def _sorted(self, own: Own, real: Oid) -> list[Oid]:
        without = (f"^{one}" for one in (real, own.base, *own.others))
        listing = self.repository.git("rev-list", "--reverse", "--topo-order", "--no-merges", own.tip, *without).text
        return [Oid(line) for line in listing.splitlines()]

    def is_stack(self, own: Own, real: Oid) -> bool:
        """Tell whether a branch starts on commits that `real` does not have."""
        return own.base in self._parents and own.base not in self.beneath(real)

    def beneath(self, real: Oid) -> set[Oid]:
        """Return all commits of the part that was read that a commit reaches; the last answer is kept."""
        if self._beneath is None or self._beneath[0] != real:
            self._beneath = (real, self.reached(real))
        return self._beneath[1]

    def pick(self, oid: Oid) -> Pick:
        """Return what one commit of the part that was read does."""
        parents = self._parents[oid]
        return Pick(oid, parents[0] if parents else None, self._changes.get(oid, ()))

    def foreign(self, tips: Sequence[Oid]) -> set[Oid]:
        """Return all commits of the part that was read that these tips reach. The same set grows from call to call."""
        known, reached = self._foreign
        if tuple(tips[: len(known)]) != known:
            known, reached = (), set()
        for tip in tips[len(known) :]:
            self._reach(tip, reached)
        self._foreign = (tuple(tips), reached)
        return reached

    def reached(self, tip: Oid) -> set[Oid]:
        """Return all commits of the part that was read that a tip reaches."""
        found: set[Oid] = set()
        self._reach(tip, found)
        return found

    def _reach(self, tip: Oid, reached: set[Oid]) -> None:
        waiting = [tip]
        while waiting:
            oid = waiting.pop()
            if oid not in reached and oid in self._parents:
                reached.add(oid)
                waiting.extend(self._parents[oid])


def _parents(line: str) -> tuple[Oid, tuple[Oid, ...]]:
    oid, *parents = line.split(" ")
    return Oid(oid), tuple(Oid(parent) for parent in parents)


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


def _changes(repository: Repository, lines: Sequence[str]) -> dict[Oid, Changes]:
    """Return what each of these commits changes; nothing for merges."""
    if not lines:
        return {}
    found: dict[Oid, list[Change]] = {}
    here: list[Change] = []
    tokens = iter(repository.git(*_RAW, input="\n".join([*lines, ""]).encode()).stdout.split(b"\0"))
    for token in tokens:
        if token.startswith(b":"):
            here.append(_change(token, next(tokens)))
        elif token:
            here = found.setdefault(Oid(token.decode("ascii")), [])
    return {oid: tuple(changes) for oid, changes in found.items()}


def _change(token: bytes, path: bytes) -> Change:
    """Read `:old-mode new-mode old-id new-id status`; mode 0 says that there is nothing."""
    old_mode, new_mode, old, new, _ = token[1:].split(b" ")
    return Change(path, _entry(old_mode, old), _entry(new_mode, new))


def _entry(mode: bytes, digits: bytes) -> Entry | None:
    return (mode, bytes.fromhex(digits.decode("ascii"))) if mode != b"000000" else None
