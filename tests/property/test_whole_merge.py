"""The whole command on random histories: `adopt`, `approve`, `merge`, compared with a loop of `git rebase`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import Conflicted
from tests.property.test_replay import rebased
from tests.support.cli import Cli
from tests.support.git import DATE, git, run
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
    """Return what a loop of `git rebase` gives, with the commits of earlier branches left out by `--onto`.

    Those that went in unchanged are below already. A plain rebase leaves them out by itself, and what the branch does
    that others have done since. gitorch also looks for a conflict that is none for the whole branch: see
    `present_part`.
    """
    tip = flock.onto
    merged: set[Oid] = set()
    conflicted: set[str] = set()
    tips = {own: base for base, own in branches.values()}
    for name in order:
        base, own = branches[name]
        if base in tips and base not in merged:
            continue  # it builds on a branch that is not in
        is_stack = base in tips and run("merge-base", "--is-ancestor", base, tip, cwd=folder, ok=(0, 1)).returncode == 1
        replayed = rebased(folder, own, "--onto", tip, base) if is_stack else rebased(folder, own, tip)
        if not isinstance(replayed, str):
            replayed = rebased_without_present(folder, own, base, tip, flock.onto, replayed, is_stack=is_stack)
        if isinstance(replayed, str):
            tip = replayed
            merged.add(own)
        else:
            conflicted.add(name)
    return Outcome(tip, frozenset(conflicted))


def rebased_without_present(
    folder: Path, own: Oid, base: Oid, tip: Oid, main: Oid, conflict: Conflicted, *, is_stack: bool
) -> Oid | Conflicted:
    """Rebase a branch in conflict without what is there already; return the conflict if nothing of it is.

    That is a `present_part`, or, of a stack, the commit in conflict: a plain rebase would leave it out for its patch,
    and one with `--onto` knows no patches.
    """
    tip_below, end = tip, present_part(folder, base, own, main, tip)
    is_line = not git("rev-list", "--merges", f"{base}..{own}", cwd=folder)
    if (
        end is None
        and is_stack
        and is_line
        and patch_ids(folder, conflict.commit) & upstream_patches(folder, base, main)
    ):
        end = conflict.commit
        below = rebased(folder, Oid(git("rev-parse", f"{end}^", cwd=folder)), "--onto", tip, base)
        assert isinstance(below, str), "it stopped at a later commit"
        tip_below = below
    if end is None:
        return conflict
    rest = rebased(folder, own, "--onto", tip_below, end)
    if isinstance(rest, str):
        return rest
    return rebased_without_present(folder, own, end, tip_below, main, rest, is_stack=True)


def upstream_patches(folder: Path, base: Oid, main: Oid) -> set[str]:
    """Return the patch ids of what main got since a branch started."""
    commits = git("rev-list", "--no-merges", f"{base}..{main}", cwd=folder).split()
    return patch_ids(folder, *commits) if commits else set()


def present_part(folder: Path, base: Oid, own: Oid, main: Oid, tip: Oid) -> Oid | None:
    """Return the end of the longest first part of a branch that is there already; None if there is none.

    A rebase conflicts where the first commit of a branch does, even if a later one ends that: both sides remove a file,
    the branch in two steps. gitorch counts two or more first commits as merged if main got one commit with their patch
    since the branch started, as when a host squashes, or if git's own merge of them is clean and leaves the tree as it
    is. A clean merge that would change anything is no reason: a branch that gitorch takes in without one of these two
    still differs from the loop.
    """
    upstream = git("rev-list", f"{base}..{main}", cwd=folder).split()
    if not upstream:
        return None  # gitorch looks only if main has moved
    landed = patch_ids(folder, *upstream)
    git("checkout", "--quiet", "--force", "--detach", tip, cwd=folder)  # a merge takes its attributes from here
    tree = git("rev-parse", f"{tip}^{{tree}}", cwd=folder)
    target = git("commit-tree", "-m", "target", "-p", base, tree, cwd=folder)
    for end in git("rev-list", own, f"^{base}", f"^{tip}", cwd=folder).split()[:-1]:
        squashed = git("commit-tree", "-m", "squashed", "-p", base, f"{end}^{{tree}}", cwd=folder)
        merge = run("merge-tree", "--write-tree", target, end, cwd=folder, ok=(0, 1))
        if patch_ids(folder, squashed) & landed or (merge.returncode == 0 and merge.stdout == f"{tree}\n".encode()):
            return Oid(end)
    return None


def patch_ids(folder: Path, *commits: str) -> set[str]:
    """Return the patch ids of commits; none for an empty one."""
    names = "".join(f"{commit}\n" for commit in commits)
    patches = run("diff-tree", "--stdin", "-p", "--no-renames", cwd=folder, input=names.encode()).stdout
    return {line.split()[0] for line in git("patch-id", "--stable", cwd=folder, input=patches).splitlines()}


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
