"""What gitorch itself has changed is no difference; what changed beside it is one."""

from __future__ import annotations

import pytest

from gitorch.git.repository import Repository
from gitorch.services.change_watch.differences import differences, with_own_changes
from tests.support.git import git

OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("branch", "head", "told"),
    [
        ("main", "main", ()),
        ("orch/integration", "main", ("index changed", "logs/HEAD changed")),
        ("main", "detached", ("index changed", "logs/HEAD changed")),
    ],
)
def test_only_a_move_of_what_is_checked_out_changes_the_checkout(
    repo: Repository, branch: str, head: str, told: tuple[str, ...]
) -> None:
    """A merge onto another branch does not explain a new index or an emptied log of HEAD."""
    assert repo.work_tree
    if head == "detached":
        git("checkout", "--quiet", "--detach", cwd=repo.work_tree)
    name = f"refs/heads/{branch}"
    before = {name: OLD, "index": "1", "entries": "1", "logs/HEAD": "1", "ORIG_HEAD": "1"}
    after = {name: NEW, "index": "2", "entries": "2", "logs/HEAD": "2", "ORIG_HEAD": "1"}
    expected, is_moved = with_own_changes(before, after, {name: frozenset({(OLD, NEW)})}, {}, repo)
    assert is_moved == (not told)
    assert differences(expected, after) == told
