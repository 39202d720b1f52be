"""Which commits of an attempt were made past the user's own hooks: a signal, as its agent could write the records.

The hook `commit-msg` of an agent's git notes each tree that passed the user's hooks. Git runs them neither with
`--no-verify`, with another `core.hooksPath`, nor for `commit-tree`; nor in a rebase, a cherry-pick or a revert, which
the log of HEAD names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

PASSED = "gitorch-passed-hooks"
"""The file in an agent's git folder with the trees that passed the hooks, one on a line."""
HEAD_LOG = ("logs", "HEAD")
LONGEST = 4 << 20
"""The most that is read of either file, in bytes."""

_WITHOUT_HOOKS = re.compile(rb"rebase|cherry-pick|revert|am\b|pull|merge|commit \((?:cherry-pick|merge)\)")
"""How git's own messages in the log of HEAD begin where it makes commits without the hooks of a commit."""
_NAME = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FORMAT = "--format=%H%x00%T%x00%P%x00%ct%x00%B"


class HookLedger(msgspec.Struct, frozen=True):
    """The user's hooks that judge commits, the trees that passed them, and the commits that git excuses."""

    hooks: tuple[str, ...] = ()
    passed: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    is_known: bool = False


def parse(hooks: tuple[str, ...], passed: bytes, head_log: bytes) -> HookLedger:
    """Return what two files of an agent's git folder say; without a log of HEAD, nothing is known."""
    trees = frozenset(line.decode() for line in passed.splitlines() if _NAME.fullmatch(line))
    return HookLedger(hooks, trees, frozenset(_excused(head_log.splitlines())), bool(head_log))


def commits_past(
    repository: Repository, ledger: HookLedger, tip: Oid, earlier: Sequence[Oid], since: datetime
) -> list[tuple[Oid, str]]:
    """Return id and message of each commit up to `tip` that was made past the hooks, oldest first.

    The histories of the commits in `earlier` do not count, nor what was committed before `since`, nor merges. A tree
    that one of `earlier` has is not new.
    """
    if not ledger.hooks or not ledger.is_known:
        return []
    known = ledger.passed | {*filter(None, repository.object_ids(*(f"{commit}^{{tree}}" for commit in earlier)))}
    lines = repository.git("log", "-z", "--first-parent", "--reverse", _FORMAT, tip, "--not", *earlier).fields()
    past = []
    for commit, tree, parents, seconds, message in zip(*(lines[start::5] for start in range(5)), strict=True):
        is_own = len(parents.split()) == 1 and int(seconds) >= int(since.timestamp())
        if is_own and tree not in known and commit not in ledger.excused:
            past.append((Oid(commit), message))
    return past


def _excused(entries: Iterable[bytes]) -> Iterable[str]:
    for entry in entries:
        moved, _, message = entry.partition(b"\t")
        names = moved.split(b" ", 2)
        if len(names) == 3 and _NAME.fullmatch(names[1]) and _WITHOUT_HOOKS.match(message):
            yield names[1].decode()
