"""The gate: what an agent's commits must not hold, found out before anything checks them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gitorch.git import commit_gate
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
    repo: Repository,
    folder: Path,
    tree: str,
    *,
    limits: commit_gate.CommitLimits = commit_gate.LIMITS,
    parents: Sequence[str] = (),
) -> str:
    """Return what the gate says about one commit of a tree on main."""
    base = Oid(git("rev-parse", "main", cwd=folder))
    words = [word for parent in parents or (base,) for word in ("-p", parent)]
    return commit_gate.problem(repo, base, Oid(git("commit-tree", tree, *words, "-m", "x", cwd=folder)), limits)


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
    assert "stands for" in problem(repo, repository_folder, tree)


def test_a_deep_tree(repo: Repository, repository_folder: Path) -> None:
    """Folders in folders have a limit."""
    tree = tree_of(repository_folder, ("100644", blob_of(repository_folder, b"x"), "f"))
    for _ in range(8):
        tree = tree_of(repository_folder, ("040000", tree, "d"))
    limits = msgspec.structs.replace(commit_gate.LIMITS, depth=6)
    assert problem(repo, repository_folder, tree) == ""
    assert problem(repo, repository_folder, tree, limits=limits) == "folders are more than 6 levels deep"


def test_an_earlier_commit_counts_too(repo: Repository, repository_folder: Path) -> None:
    """A bomb that a later commit removes would still be in the history."""
    bomb = tree_of(repository_folder, *[("100644", blob_of(repository_folder, b"x"), f"f{n}") for n in range(20)])
    first = git("commit-tree", bomb, "-p", "main", "-m", "x", cwd=repository_folder)
    plain = git("rev-parse", "main^{tree}", cwd=repository_folder)
    limits = msgspec.structs.replace(commit_gate.LIMITS, entries=10)
    assert "stands for" in problem(repo, repository_folder, plain, parents=[first], limits=limits)


@pytest.mark.parametrize("name", [".git", ".GIT", ".Git", "git~1", ".git.", ".git ", ".g\u200cit", ".git::$INDEX"])
def test_names_that_are_gits_own(repo: Repository, repository_folder: Path, name: str) -> None:
    """Whatever a file system takes for `.git` is no name of a file."""
    assert commit_gate.is_git_name(name)
    tree = tree_of(repository_folder, ("100644", blob_of(repository_folder, b"x"), name))
    assert "git uses itself" in problem(repo, repository_folder, tree)


@pytest.mark.parametrize("name", [".gitignore", ".gitmodules", "git", "x.git", ".github", ".gitattributes"])
def test_names_that_are_not(name: str) -> None:
    """Near misses are files like any other."""
    assert not commit_gate.is_git_name(name)


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
    assert commit_gate.leaves(path, target) is leads_out


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
        repo, repository_folder, tree, limits=msgspec.structs.replace(commit_gate.LIMITS, file_bytes=1 << 20)
    )
    assert "files are changed" in problem(
        repo, repository_folder, tree, limits=msgspec.structs.replace(commit_gate.LIMITS, changes=1)
    )
    assert "commits, more than 0" in problem(
        repo, repository_folder, tree, limits=msgspec.structs.replace(commit_gate.LIMITS, commits=0)
    )


def test_rewritten_history(repo: Repository, repository_folder: Path) -> None:
    """Commits that do not contain the base are refused before anything else."""
    tree = git("rev-parse", "main^{tree}", cwd=repository_folder)
    first = git("commit-tree", tree, "-m", "fresh", cwd=repository_folder)
    assert "rewritten" in problem(repo, repository_folder, tree, parents=[first])


def raw_tree(folder: Path, *entries: Entry) -> str:
    """Make a tree that even git would not make."""
    content = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, oid, name in entries)
    return git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", cwd=folder, input=content)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((("40000", ".."),), "which is no name of a file"),
        ((("100644", "."),), "which is no name of a file"),
        ((("100644", "a/b"),), "which is no name of a file"),
        ((("100644", "a"), ("100755", "a")), "twice, or not in its place"),
        ((("100644", "a"), ("100644", "a-"), ("40000", "a")), "twice, or not in its place"),
        ((("100644", "b"), ("100644", "a")), "twice, or not in its place"),
        ((("20666", "a"),), "has the mode 20666"),
        ((("104755", "a"),), "has the mode 104755"),
        ((("120000", ".gitmodules"),), "names submodules, and is no file"),
        ((("40000", ".GITMODULES"),), "names submodules, and is no file"),
        ((("100644", "a"), ("40000", "a-b"), ("40000", "b"), ("100664", "c")), ""),
    ],
)
def test_trees_that_git_never_makes(
    repo: Repository, repository_folder: Path, entries: Sequence[tuple[str, str]], words: str
) -> None:
    """Refused wherever they are, unless the base has the same tree: an old history may have odd modes."""
    blob = blob_of(repository_folder, b"x")
    inner = tree_of(repository_folder, ("100644", blob, "f"))
    objects = [(mode, inner if mode == "40000" else blob, name) for mode, name in entries]
    odd = raw_tree(repository_folder, *objects)
    tree = tree_of(repository_folder, ("040000", odd, "sub"))
    found = problem(repo, repository_folder, tree)
    assert words in found if words else found == ""
    if "mode" in words or "place" in words:
        base = Oid(git("commit-tree", tree, "-p", "main", "-m", "old", cwd=repository_folder))
        more = tree_of(repository_folder, ("100644", blob, "new"), ("040000", odd, "sub"))
        tip = Oid(git("commit-tree", more, "-p", base, "-m", "new", cwd=repository_folder))
        assert commit_gate.problem(repo, base, tip) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = -u./evil", "url = -u./evil"),
        ("path = -x", "path = -x"),
        ("update = !evil", "update = !evil"),
        ("url = ext::sh -c evil", "url = ext::sh -c evil"),
        ("url = https://example.org/lib\n path = lib\n update = rebase", ""),
        ("url = ../lib", ""),
        ("]", "cannot be read by git"),
    ],
)
def test_what_a_list_of_submodules_may_say(repo: Repository, repository_folder: Path, text: str, words: str) -> None:
    """Also in an earlier commit, under a name of Windows, and where a fetch has let it pass."""
    blob = blob_of(repository_folder, f'[submodule "a"]\n {text}\n'.encode())
    for name in (".gitmodules", "gitmod~1", ".GitModules"):
        first = tree_of(repository_folder, ("100644", blob, name))
        base = git("rev-parse", "main", cwd=repository_folder)
        commit = git("commit-tree", first, "-p", base, "-m", "x", cwd=repository_folder)
        clean = git("rev-parse", "main^{tree}", cwd=repository_folder)
        tip = Oid(git("commit-tree", clean, "-p", commit, "-m", "y", cwd=repository_folder))
        found = commit_gate.problem(repo, Oid(base), tip)
        assert words in found if words else found == ""
    name = raw_tree(
        repository_folder, ("100644", blob_of(repository_folder, b'[submodule "../x"]\n path = x\n'), ".gitmodules")
    )
    assert "with the name ../x" in problem(repo, repository_folder, name)
