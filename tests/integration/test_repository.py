"""What a repository answers is what its objects hold, whichever method asks."""

from __future__ import annotations

from gitorch.git.repository import Repository
from tests.support.git import commit, git


def test_a_replace_ref_changes_no_answer(repo: Repository) -> None:
    """`refs/replace` swaps no object, so that no agent can change the instructions of the next one with it."""
    assert repo.work_tree is not None
    folder = repo.work_tree
    path = ".claude/agents/zed.md"
    tip = repo.resolve(commit(folder, "Add a role\n", {path: "original\n", "other.md": "replaced\n"}))
    assert tip is not None
    git(
        "replace",
        git("rev-parse", f"{tip}:{path}", cwd=folder),
        git("rev-parse", f"{tip}:other.md", cwd=folder),
        cwd=folder,
    )
    assert git("show", f"{tip}:{path}", cwd=folder) == "replaced", "plain git follows the ref"
    assert repo.file(tip, path) == b"original\n"
    assert repo.plain_files(tip, ".claude/agents", max_files=9, max_bytes=9_999) == {path: b"original\n"}


def test_a_replaced_commit_changes_no_answer(repo: Repository) -> None:
    """A commit is read as it is, by name and by folder, also where `git replace` points at another one."""
    assert repo.work_tree is not None
    folder = repo.work_tree
    original = repo.resolve("HEAD")
    other = commit(folder, "Other\n", {".claude/agents/zed.md": "other\n"})
    assert original is not None
    git("replace", original, other, cwd=folder)
    assert repo.file(original, ".claude/agents/zed.md") is None
    assert repo.plain_files(original, ".claude/agents", max_files=9, max_bytes=9_999) == {}
    assert repo.commits([original])[0].message.startswith("Add a library")
