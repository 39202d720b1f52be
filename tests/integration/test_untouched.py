"""Checkouts that git calls modified from the start: what the agent did not touch does not enter its commit."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gitorch.git.collecting.collect import Collected, NoChanges, collect
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, untouched, worktree_status
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, branch_ref, rescue_ref
from tests.support import sandbox
from tests.support.git import commit, git

POINTER = "#!/bin/sh\ncase $1 in clean) printf 'pointer to %s' \"$(sha1sum)\" ;; smudge) cat ;; esac\n"
SALT = "#!/bin/sh\ncase $1 in clean) cat; date +%N ;; smudge) cat ;; esac\n"
MARKED = "#!/bin/sh\ncase $1 in clean) sed 's/^/x/' ;; smudge) cat ;; esac\n"


class Kind(msgspec.Struct, frozen=True):
    """A file whose checkout differs from its blob: its content, and what is configured after it was committed."""

    content: bytes
    attributes: str
    settings: Mapping[str, str] = {}
    filter: str = ""
    encoding: str = "ascii"


KINDS = {
    "text": Kind(b"a\r\nb\r\n", "* text"),
    "text auto, mixed": Kind(b"a\r\nb\n", "*.txt text eol=crlf"),
    "ident": Kind(b"$Id: 0123 $\na\n", "*.txt ident"),
    "text auto, settings": Kind(b"a\r\nb\n", "*.txt text=auto", {"core.autocrlf": "true", "core.eol": "crlf"}),
    "settings": Kind(b"a\r\nb\n", "*.txt -text", {"core.autocrlf": "input"}),
    "autocrlf": Kind(b"a\r\nb\n", "*.txt text", {"core.autocrlf": "true"}),
    "eol": Kind(b"a\r\nb\n", "*.txt text", {"core.eol": "crlf"}),
    "encoding": Kind("\ufeffaé\n".encode("utf-16-le"), "*.txt working-tree-encoding=UTF-16", encoding="utf-16-le"),
    "lfs": Kind(b"a picture\n", "*.txt filter=f -text", {"filter.f.required": "true"}, POINTER),
    "salt": Kind(b"secret\n", "*.txt filter=f", {}, SALT),
    "not idempotent": Kind(b"a\nb\n", "*.txt filter=f", {}, MARKED),
}


@pytest.fixture(params=[*KINDS])
def repo(repository_folder: Path, request: pytest.FixtureRequest) -> Repository:
    """A repository with three files of a kind that were committed before they were configured."""
    kind = KINDS[request.param]
    files = {f"{name}.txt": kind.content + name.encode(kind.encoding) for name in ("a", "b", "c")}
    commit(repository_folder, "Old", files)
    (repository_folder / ".gitattributes").write_text(f"{kind.attributes}\n*.md text eol=lf\n")
    git("add", ".gitattributes", cwd=repository_folder)
    git("commit", "--quiet", "--message=Attributes", cwd=repository_folder)
    if kind.filter:
        script = repository_folder.parent / "filter"
        script.write_text(kind.filter)
        script.chmod(0o755)
        for word in ("clean", "smudge"):
            git("config", f"filter.f.{word}", f"{script} {word}", cwd=repository_folder)
    for name, value in kind.settings.items():
        git("config", name, value, cwd=repository_folder)
    return Repository.discover(repository_folder)


@pytest.fixture
def worktree(repo: Repository) -> Worktree:
    assert repo.work_tree
    git("branch", "orch/t", cwd=repo.work_tree)
    return linked_worktrees.add(repo, repo.work_tree.parent / "trees" / "t", "orch/t", "test")


def disturb(worktree: Worktree) -> None:
    """Let git compare the files again, as it does after a change of their time stamps."""
    for path in worktree.path.glob("*.txt"):
        os.utime(path, (time.time() - 60, time.time() - 60))


def collected(repo: Repository, worktree: Worktree) -> Collected | NoChanges:
    base = repo.resolve("HEAD")
    assert base
    result = collect(repo, worktree, branch=branch_ref("orch/t"), base=base, message="work")
    assert isinstance(result, Collected | NoChanges), result
    return result


def changed(repo: Repository) -> list[str]:
    return git("diff", "--name-only", "HEAD", "orch/t", cwd=repo.common_dir.parent).split()


def test_an_agent_commits_everything(repo: Repository, worktree: Worktree) -> None:
    """`git add --all` in a new worktree, and in one that was reset, adds what the agent wrote, and no other file."""
    assert git("status", "--porcelain", cwd=worktree.path) == ""
    (worktree.path / "new").write_text("new")
    git("add", "--all", cwd=worktree.path)
    git("commit", "--quiet", "--message=work", cwd=worktree.path)
    assert changed(repo) == ["new"]
    disturb(worktree)
    linked_worktrees.restore(repo, worktree)
    (worktree.path / "new").write_text("newer")
    git("commit", "--quiet", "--all", "--message=more", cwd=worktree.path)
    assert changed(repo) == ["new"]


def test_nothing_but_the_agents_files_is_collected(repo: Repository, worktree: Worktree) -> None:
    """Where git calls the untouched files modified, they are neither changes nor saved, and what was edited is both."""
    disturb(worktree)
    assert collected(repo, worktree) == NoChanges()
    assert linked_worktrees.rescue(repo, worktree, rescue_ref("t"), "nothing") is None
    (worktree.path / "new").write_text("new")
    assert isinstance(collected(repo, worktree), Collected)
    assert changed(repo) == ["new"]
    disturb(worktree)
    with (worktree.path / "b.txt").open("ab") as file:
        file.write("edited\n".encode("utf-16-le"))
    (worktree.path / "c.txt").chmod(0o755)
    point = linked_worktrees.rescue(repo, worktree, rescue_ref("t"), "edited")
    assert point
    assert git("diff", "--name-only", "orch/t", point, cwd=worktree.path).split() == ["b.txt", "c.txt"]
    assert worktree_status.uncommitted(repo, worktree).paths == ("b.txt", "c.txt")


def test_an_edit_of_a_converted_file_is_collected(repository_folder: Path) -> None:
    """A file that the agent did change is in its commit, as git converts it, and so is a deleted one."""
    folder = repository_folder
    commit(folder, "Old", {"a.txt": "a\r\n", "b.txt": "b\r\n", "c.txt": "c\r\n"})
    (folder / ".gitattributes").write_text("*.txt text\n")
    git("add", ".gitattributes", cwd=folder)
    git("commit", "--quiet", "--message=Attributes", cwd=folder)
    repo = Repository.discover(folder)
    git("branch", "orch/t", cwd=folder)
    worktree = linked_worktrees.add(repo, folder.parent / "trees" / "t", "orch/t", "test")
    disturb(worktree)
    (worktree.path / "a.txt").write_bytes(b"edited\r\n")
    (worktree.path / "b.txt").unlink()
    assert isinstance(collected(repo, worktree), Collected)
    assert changed(repo) == ["a.txt", "b.txt"]
    assert git("cat-file", "blob", "orch/t:a.txt", cwd=folder) == "edited"
    assert Oid(git("rev-parse", "orch/t:c.txt", cwd=folder)) == Oid(git("rev-parse", "HEAD:c.txt", cwd=folder))


@pytest.fixture
def plain(repository_folder: Path) -> tuple[Repository, Worktree]:
    """A new checkout of files that nothing converts, after the second in which it was made."""
    repository = Repository.discover(repository_folder)
    git("branch", "orch/t", cwd=repository_folder)
    worktree = linked_worktrees.add(repository, repository_folder.parent / "trees" / "t", "orch/t", "test")
    index = worktree.admin / "index"
    while time.time() < int(index.stat().st_mtime) + 1.1:
        time.sleep(0.05)
    return repository, worktree


def test_git_trusts_a_new_checkout_from_its_first_program_on(plain: tuple[Repository, Worktree]) -> None:
    """The index is then a second newer than the files, once; a change of the same size is seen all the same."""
    repository, worktree = plain
    index, file = worktree.admin / "index", worktree.path / "README.md"
    files = int(file.stat().st_mtime)
    untouched.before_program(worktree)
    assert int(index.stat().st_mtime) > files
    file.write_bytes(file.read_bytes()[::-1])
    assert worktree_status.read(repository, worktree).uncommitted.paths == ("README.md",)
    os.utime(index, (files, files))
    untouched.before_program(worktree)
    assert int(index.stat().st_mtime) == files


def test_git_does_not_trust_what_gitorch_has_written_into(plain: tuple[Repository, Worktree]) -> None:
    """As the files of a conflict are, past the index."""
    _, worktree = plain
    before = (worktree.admin / "index").stat().st_mtime_ns
    untouched.written_into(worktree)
    untouched.before_program(worktree)
    assert (worktree.admin / "index").stat().st_mtime_ns == before


def test_git_goes_on_reading_in_the_second_of_the_checkout(plain: tuple[Repository, Worktree]) -> None:
    """A program could change a file in it without another size or time."""
    _, worktree = plain
    index, moment = worktree.admin / "index", time.time() + 30
    os.utime(index, (moment, moment))
    before = index.stat().st_mtime_ns
    untouched.before_program(worktree)
    assert index.stat().st_mtime_ns == before


@pytest.mark.parametrize("mode", ["bwrap", "private"])
def test_a_program_in_a_room_starts_with_a_trusted_checkout(repository_folder: Path, mode: str) -> None:
    """The room's first program, and no later one, makes the index newer than the files."""
    room = sandbox.room_in(repository_folder, mode=mode)
    index = repository_folder / ".git" / "worktrees" / "t" / "index"
    made = index.stat().st_mtime
    while time.time() < int(made) + 1.1:
        time.sleep(0.05)
    sandbox.act(room, "true")
    assert index.stat().st_mtime > made
    os.utime(index, (made, made))
    sandbox.act(room, "true")
    assert index.stat().st_mtime == made
