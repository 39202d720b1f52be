"""Where a repository was, as its state folder records it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.git.worktrees import relocated


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff{not json\n", b"relative/path\n", b"/elsewhere\x00/x\n"])
def test_a_damaged_record_is_ignored(repo: Repository, content: bytes) -> None:
    """What cannot be a path does not say that the repository was moved."""
    record(repo, content)
    assert relocated.find(repo) is None


def test_another_path_is_where_it_was(repo: Repository) -> None:
    """The folder of that time need not exist."""
    record(repo, b"/no/such/folder/.git\n")
    relocation = relocated.find(repo)
    assert relocation is not None
    assert (relocation.old, relocation.is_copy) == (Path("/no/such/folder/.git"), False)


def record(repo: Repository, content: bytes) -> None:
    path = repo.common_dir / "gitorch/location"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
