"""The gate: what of an attempt's worktree comes home to its branch, and what does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.git.collecting.collect import Collected, CollectResult, NoChanges, Rejected, collect
from gitorch.git.repository import Repository
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, Ref
from tests.support.git import commit, git, run

BRANCH = Ref("refs/heads/orch/t")
MESSAGE = "Add `things`; 🚀\n\n# not a comment\n"


def collected(repo: Repository, worktree: Worktree, base: Oid) -> CollectResult:
    return collect(repo, worktree, branch=BRANCH, base=base, message=MESSAGE)


def tip(repo: Repository) -> Oid:
    return repo.refs(BRANCH)[BRANCH]


def test_commits_come_home(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """What the agent committed is counted, and its branch is where it was."""
    commit(worktree.path, "one", {"one": "1"})
    last = commit(worktree.path, "two", {"two": "2"})
    tree = git("rev-parse", "HEAD^{tree}", cwd=worktree.path)
    assert collected(repo, worktree, base) == Collected(tip=Oid(last), tree=Oid(tree), commits=2, completed=False)


def test_what_was_forgotten_is_committed(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Uncommitted files are committed, with the message byte for byte, and the result says so."""
    commit(worktree.path, "one", {"one": "1"})
    (worktree.path / "new\nfile").write_text("x")
    (worktree.path / "README.md").unlink()
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert (found.commits, found.completed, found.tip) == (2, True, tip(repo))
    assert run("cat-file", "commit", found.tip, cwd=worktree.path).stdout.endswith(b"\n\n" + MESSAGE.encode())
    assert repo.file(found.tip, "new\nfile") == b"x"
    assert repo.file(found.tip, "README.md") is None
    assert git("status", "--porcelain", cwd=worktree.path) == ""


def test_the_message_is_utf8_in_any_repository(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Where commits are written in another encoding, the message is not declared to be in that one."""
    git("config", "i18n.commitEncoding", "ISO-8859-1", cwd=worktree.path)
    (worktree.path / "new").write_text("x")
    assert isinstance(collected(repo, worktree, base), Collected)
    shown = run("-c", "i18n.logOutputEncoding=UTF-8", "log", "-1", "--format=%s", tip(repo), cwd=worktree.path)
    assert shown.stdout.decode().strip() == MESSAGE.split("\n")[0]


def test_nothing_was_done(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """An agent that changed nothing has not finished anything; ignored files are nothing."""
    (worktree.path / "debug.log").write_text("ignored")
    assert collected(repo, worktree, base) == NoChanges()


def test_done_and_undone(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Commits whose sum is no change are no change."""
    commit(worktree.path, "there", {"one": "1"})
    commit(worktree.path, "and back", {"one": None})
    assert collected(repo, worktree, base) == NoChanges()


def test_an_empty_commit_is_nothing(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """An empty commit is no work."""
    commit(worktree.path, "empty", {})
    assert collected(repo, worktree, base) == NoChanges()


def test_only_line_ends_that_git_makes_the_same(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Files that only look changed do not make a commit."""
    os.utime(worktree.path / "README.md", (1, 1))
    (worktree.path / "src/app.py").touch()
    assert collected(repo, worktree, base) == NoChanges()


def test_line_ends_that_git_changes_are_saved(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """What an agent left is committed where the user's git refuses to add it."""
    for setting in ("core.autocrlf", "core.safecrlf"):
        git("config", setting, "true", cwd=worktree.path)
    (worktree.path / "new").write_bytes(b"x\ny\r\n")
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert repo.file(found.tip, "new") == b"x\ny\n"


def test_a_detached_head_comes_home(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Commits made beside the branch are put on it."""
    git("checkout", "--quiet", "--detach", cwd=worktree.path)
    last = commit(worktree.path, "one", {"one": "1"})
    (worktree.path / "two").write_text("2")
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert found.commits == 2
    assert tip(repo) == found.tip
    assert repo.is_ancestor(Oid(last), tip(repo))


def test_a_detached_head_that_left_the_branch_behind(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Where branch and worktree went different ways, neither is thrown away."""
    on_branch = commit(worktree.path, "on the branch", {"one": "1"})
    git("checkout", "--quiet", "--detach", base, cwd=worktree.path)
    commit(worktree.path, "beside it", {"two": "2"})
    found = collected(repo, worktree, base)
    assert found == Rejected("the worktree's commits do not build on the task's branch")
    assert tip(repo) == on_branch


def test_another_branch(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """Work on a branch of the agent's own choice is not taken for the task's."""
    git("checkout", "--quiet", "-b", "my/own", cwd=worktree.path)
    commit(worktree.path, "one", {"one": "1"})
    assert collected(repo, worktree, base) == Rejected("the worktree was switched to another branch: my/own")
    assert tip(repo) == base


def test_rewritten_history(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """A branch that no longer holds its base is refused."""
    git("reset", "--quiet", "--hard", "HEAD~2", cwd=worktree.path)
    commit(worktree.path, "one", {"one": "1"})
    assert collected(repo, worktree, base) == Rejected("the history before the task's base was rewritten")


def test_a_history_of_its_own(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """So is one that has nothing in common with it."""
    git("update-ref", "-d", "HEAD", cwd=worktree.path)
    commit(worktree.path, "alone", {"one": "1"})
    assert collected(repo, worktree, base) == Rejected("the history before the task's base was rewritten")


def test_a_branch_without_a_commit(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """A deleted branch of an emptied worktree is an outcome, not a crash."""
    git("rm", "-rfq", ".", cwd=worktree.path)
    git("update-ref", "-d", "HEAD", cwd=worktree.path)
    assert collected(repo, worktree, base) == Rejected("the task's branch no longer has a commit")


@pytest.mark.parametrize(
    ("command", "name"),
    [("merge", "merge"), ("rebase", "rebase"), ("cherry-pick", "cherry-pick"), ("revert", "revert")],
)
def test_half_done(repo: Repository, worktree: Worktree, base: Oid, command: str, name: str) -> None:
    """Conflict markers never become a commit: an operation that was left unfinished is refused and left as it is."""
    path = worktree.path
    git("checkout", "--quiet", "-b", "theirs", cwd=path)
    commit(path, "theirs", {"README.md": "theirs\n"})
    git("checkout", "--quiet", "orch/t", cwd=path)
    last = commit(path, "ours", {"README.md": "ours\n"})
    run(command, "theirs", cwd=path, ok=(1,))
    before = git("status", "--porcelain=v2", cwd=path)
    assert collected(repo, worktree, base) == Rejected(f"a {name} was left unfinished in the worktree")
    assert git("status", "--porcelain=v2", cwd=path) == before
    assert tip(repo) == last


@pytest.mark.parametrize("added", [False, True])
def test_a_repository_inside(repo: Repository, worktree: Worktree, base: Oid, added: bool) -> None:
    """A repository inside cannot come home as files, nor as a link to commits that nobody has."""
    inside = worktree.path / "vendor"
    inside.mkdir()
    git("init", "--quiet", cwd=inside)
    commit(inside, "x", {"x": "x"})
    if added:
        commit(worktree.path, "vendor", {})
    found = collected(repo, worktree, base)
    assert isinstance(found, Rejected)
    assert found.reason.startswith("the worktree contains a git repository: vendor")


def test_hooks_of_anybody_do_not_run(repo: Repository, worktree: Worktree, base: Oid, tmp_path: Path) -> None:
    """The commit that gitorch makes for the agent runs no hook, and asks for no signature."""
    for name in ("pre-commit", "commit-msg", "post-commit", "prepare-commit-msg", "reference-transaction"):
        hook = repo.common_dir / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        hook.chmod(0o755)
    git("config", "commit.gpgSign", "true", cwd=worktree.path)
    (worktree.path / "one").write_text("1")
    assert isinstance(collected(repo, worktree, base), Collected)
    assert not (tmp_path / "ran").exists()


def test_a_user_without_a_name(
    repo: Repository, worktree: Worktree, base: Oid, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where git knows no name, gitorch commits under its own instead of failing."""
    (tmp_path / "config").write_text("[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    (worktree.path / "one").write_text("1")
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert git("log", "-1", "--format=%an %ae %cn", found.tip, cwd=worktree.path) == "gitorch gitorch@localhost gitorch"


def test_collecting_twice(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """A second time, after a crash, gives the same commits."""
    (worktree.path / "one").write_text("1")
    first, second = collected(repo, worktree, base), collected(repo, worktree, base)
    assert isinstance(first, Collected)
    assert isinstance(second, Collected)
    assert (first.tip, first.tree, first.commits) == (second.tip, second.tree, second.commits)
