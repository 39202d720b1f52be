"""The gate: what an agent's commits must not hold, found out before anything checks them out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gitorch.git import gate
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from tests.support.git import git

Entry = tuple[str, str, str]


def tree_of(folder: Path, *entries: Entry) -> str:
    """Make a tree of (mode, object, name), checked by nothing."""
    kind = {"040000": "tree", "160000": "commit"}
    text = "".join(f"{mode} {kind.get(mode, 'blob')} {oid}\t{name}\0" for mode, oid, name in entries)
    return git("mktree", "-z", "--missing", cwd=folder, input=text.encode())


def blob_of(folder: Path, content: bytes) -> str:
    return git("hash-object", "-w", "--stdin", cwd=folder, input=content)


def problem(
    repo: Repository, folder: Path, tree: str, *, limits: gate.CommitLimits = gate.LIMITS, parents: Sequence[str] = ()
) -> str:
    """Return what the gate says about one commit of a tree on main."""
    base = Oid(git("rev-parse", "main", cwd=folder))
    words = [word for parent in parents or (base,) for word in ("-p", parent)]
    return gate.problem(repo, base, Oid(git("commit-tree", tree, *words, "-m", "x", cwd=folder)), limits)


def test_ordinary_work_passes(repo: Repository, repository_folder: Path) -> None:
    """Files in folders, a link inside the tree, odd names."""
    blob, link = blob_of(repository_folder, b"x"), blob_of(repository_folder, b"../b/file")
    inner = tree_of(repository_folder, ("100644", blob, "file"), ("100644", blob, "-x"), ("100644", blob, ".gitignore"))
    links = tree_of(repository_folder, ("120000", link, "link"))
    tree = tree_of(repository_folder, ("040000", links, "a"), ("040000", inner, "b"))
    assert problem(repo, repository_folder, tree) == ""


def test_a_tree_bomb_is_counted_and_not_unpacked(repo: Repository, repository_folder: Path) -> None:
    """Ten trees of ten entries each stand for ten billion files: refused in the time of reading ten trees."""
    tree = tree_of(repository_folder, ("100644", blob_of(repository_folder, b"boom"), "f"))
    for _ in range(10):
        tree = tree_of(repository_folder, *[("040000", tree, f"d{number}") for number in range(10)])
    start = time.monotonic()
    assert "stands for" in problem(repo, repository_folder, tree)
    assert time.monotonic() - start < 10.0


def test_a_deep_tree(repo: Repository, repository_folder: Path) -> None:
    """Folders in folders have a limit."""
    tree = tree_of(repository_folder, ("100644", blob_of(repository_folder, b"x"), "f"))
    for _ in range(8):
        tree = tree_of(repository_folder, ("040000", tree, "d"))
    limits = msgspec.structs.replace(gate.LIMITS, depth=6)
    assert problem(repo, repository_folder, tree) == ""
    assert problem(repo, repository_folder, tree, limits=limits) == "folders are more than 6 levels deep"


def test_an_earlier_commit_counts_too(repo: Repository, repository_folder: Path) -> None:
    """A bomb that a later commit removes would still be in the history."""
    bomb = tree_of(repository_folder, *[("100644", blob_of(repository_folder, b"x"), f"f{n}") for n in range(20)])
    first = git("commit-tree", bomb, "-p", "main", "-m", "x", cwd=repository_folder)
    plain = git("rev-parse", "main^{tree}", cwd=repository_folder)
    limits = msgspec.structs.replace(gate.LIMITS, entries=10)
    assert "stands for" in problem(repo, repository_folder, plain, parents=[first], limits=limits)


@pytest.mark.parametrize("name", [".git", ".GIT", ".Git", "git~1", ".git.", ".git ", ".g\u200cit", ".git::$INDEX"])
def test_names_that_are_gits_own(repo: Repository, repository_folder: Path, name: str) -> None:
    """Whatever a file system takes for `.git` is no name of a file."""
    assert gate.is_git_name(name)
    tree = tree_of(repository_folder, ("100644", blob_of(repository_folder, b"x"), name))
    assert "git uses itself" in problem(repo, repository_folder, tree)


@pytest.mark.parametrize("name", [".gitignore", ".gitmodules", "git", "x.git", ".github", ".gitattributes"])
def test_names_that_are_not(name: str) -> None:
    """Near misses are files like any other."""
    assert not gate.is_git_name(name)


@pytest.mark.parametrize(
    ("path", "target", "leads_out"),
    [
        ("a/b", "../c", False),
        ("a", "b/c", False),
        ("a/b/c", "../../d", False),
        ("a", "../c", True),
        ("a/b", "../../c", True),
        ("a", "/etc/passwd", True),
        ("a", "b/../../c", True),
        # `b` may be a link to `.`, and `b/..` is then outside
        ("a", "b/..", True),
        ("a", "x" * 5_000, True),
    ],
)
def test_where_a_link_leads(path: str, target: str, leads_out: bool) -> None:
    """It may lead anywhere inside the tree, and nowhere else."""
    assert gate.leaves(path, target) is leads_out


def test_links_out_of_the_tree(repo: Repository, repository_folder: Path) -> None:
    """They are refused with their path and target, escaped."""
    tree = tree_of(repository_folder, ("120000", blob_of(repository_folder, b"/home/una/.ssh/id\x1b"), "leak"))
    assert problem(repo, repository_folder, tree) == (
        "leak is a symbolic link that leads out of the worktree: /home/una/.ssh/id\\x1b"
    )


def test_a_repository_as_a_link(repo: Repository, repository_folder: Path) -> None:
    """A new gitlink's commits are nowhere else."""
    tree = tree_of(repository_folder, ("160000", "1" * 40, "inner"))
    assert "inner is a link to another repository" in problem(repo, repository_folder, tree)


def test_sizes(repo: Repository, repository_folder: Path) -> None:
    """A file, the number of changes and of commits have limits."""
    blob = blob_of(repository_folder, b"x" * 2_000_000)
    tree = tree_of(repository_folder, ("100644", blob, "big"), ("100644", blob, "other"))
    assert "big has 1 MB" in problem(
        repo, repository_folder, tree, limits=msgspec.structs.replace(gate.LIMITS, file_bytes=1 << 20)
    )
    assert "files are changed" in problem(
        repo, repository_folder, tree, limits=msgspec.structs.replace(gate.LIMITS, changes=1)
    )
    assert "commits, more than 0" in problem(
        repo, repository_folder, tree, limits=msgspec.structs.replace(gate.LIMITS, commits=0)
    )


def test_rewritten_history(repo: Repository, repository_folder: Path) -> None:
    """Commits that do not contain the base are refused before anything else."""
    tree = git("rev-parse", "main^{tree}", cwd=repository_folder)
    first = git("commit-tree", tree, "-m", "fresh", cwd=repository_folder)
    assert "rewritten" in problem(repo, repository_folder, tree, parents=[first])
