"""The whole command on random histories: `adopt`, `approve`, `merge`, compared with a loop of `git rebase`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from tests.property.test_replay import rebased
from tests.support.cli import Cli
from tests.support.git import DATE, git
from tests.support.histories import Flock, write_flocks
from tests.support.scale import scaled

HISTORIES = int(os.environ.get("GITORCH_TEST_WHOLE_MERGES") or scaled(2))
BRANCHES = int(os.environ.get("GITORCH_TEST_BRANCHES") or 6)
"""Branches of a history."""

CONFIGURED: tuple[dict[str, str], ...] = (
    {},
    {"i18n.commitEncoding": "ISO-8859-1", "merge.renames": "false"},
    {"commit.cleanup": "whitespace", "merge.directoryRenames": "true", "diff.renames": "copies"},
    {"commit.cleanup": "strip", "merge.conflictStyle": "diff3", "core.quotePath": "true"},
)
"""Settings of git that change what a rebase makes, or must not."""


class Outcome(msgspec.Struct, frozen=True):
    """The tip of the integration branch, and the tasks in conflict."""

    tip: Oid
    conflicted: frozenset[str]


def adopted(cli: Cli, flock: Flock) -> dict[str, tuple[Oid, Oid]]:
    """Make the branches of a flock tasks; return base and tip of each. Branches without a commit of their own stay."""
    git("checkout", "--quiet", "--force", "-B", "main", flock.onto, cwd=cli.folder)
    git("clean", "-fdxq", cwd=cli.folder)
    branches = {}
    for number, (base, tip) in enumerate(flock.branches):
        if base != tip:
            git("update-ref", f"refs/heads/b{number}", tip, cwd=cli.folder)
            branches[f"b{number}"] = (base, tip)
    cli("adopt", *branches)
    cli("approve", "--all", "--force")
    return branches


def expected(folder: Path, flock: Flock, branches: dict[str, tuple[Oid, Oid]], order: list[str]) -> Outcome:
    """Return what a loop of `git rebase` gives, with the commits of earlier branches left out by `--onto`."""
    tip = flock.onto
    merged: set[Oid] = set()
    conflicted: set[str] = set()
    tips = {own: base for base, own in branches.values()}
    for name in order:
        base, own = branches[name]
        if base in tips and base not in merged:
            continue  # it builds on a branch that is not in
        replayed = rebased(folder, own, "--onto", tip, base) if base in tips else rebased(folder, own, tip)
        if isinstance(replayed, str):
            tip = replayed
            merged.add(own)
        else:
            conflicted.add(name)
    return Outcome(tip, frozenset(conflicted))


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_merge_is_a_loop_of_rebases(empty: Repository, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same commits and the same conflicts, in the order that the merge chose; and nothing else has moved."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    folder = empty.work_tree
    assert folder is not None
    for name, value in CONFIGURED[seed % len(CONFIGURED)].items():
        git("config", name, value, cwd=folder)
    (flock,) = write_flocks(folder, [seed + 9_000], BRANCHES)
    cli = Cli(folder)
    branches = adopted(cli, flock)
    refs = git("for-each-ref", "refs/heads/b*", "refs/heads/main", cwd=folder)
    answer = cli.json("merge", "--verify", "never", ok=(0, 7))
    assert git("for-each-ref", "refs/heads/b*", "refs/heads/main", cwd=folder) == refs
    names = [task["id"] for task in (*answer["merged"], *answer["conflicted"])]
    held = {task["id"] for task in answer["held"]}
    assert {*names} | held == {*branches}
    conflicted = frozenset(task["id"] for task in answer["conflicted"])
    integration = Oid(git("rev-parse", "orch/integration", cwd=folder)) if answer["merged"] else flock.onto
    assert Outcome(integration, conflicted) == expected(folder, flock, branches, names)
    counts = {key: len(answer[key]) for key in ("merged", "conflicted", "held")}
    print(f"{seed}: {len(branches)} branches, {counts}")
    git("checkout", "--quiet", "--force", "main", cwd=folder)
    git("fsck", "--no-dangling", "--connectivity-only", cwd=folder)
