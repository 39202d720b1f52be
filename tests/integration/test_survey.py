"""The map of a repository: bounded, however large it is, and harmless, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.flow.planning.model import survey
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from tests.support.git import commit, git

MOST = 30_000


def of(folder: Path, **checks: str) -> str:
    """Return the map of what is checked out."""
    repository = Repository.discover(folder)
    return survey(repository, repository.resolve("HEAD"), checks)


def committed(folder: Path, paths: list[bytes]) -> str:
    """Commit a tree of these paths, all with the same content, without a file on the disk; return its map."""
    repository = Repository.discover(folder)
    blob = repository.git("hash-object", "-w", "--stdin", input=b"x").text.encode()
    env = {"GIT_INDEX_FILE": str(folder / ".git" / "index-of-the-test")}
    lines = b"".join(b"100644 %b\t%b\0" % (blob, path) for path in paths)
    repository.git("update-index", "-z", "--index-info", input=lines, env=env)
    tree = repository.git("write-tree", env=env).text
    made = repository.git("commit-tree", "-m", "Many", tree, env=repository.identity())
    return survey(repository, Oid(made.text), {})


def test_a_small_repository_is_listed_as_it_is(repository_folder: Path) -> None:
    """Files, languages, README, checks and history of a small repository are all there."""
    commit(repository_folder, "Say what it is", {"README.md": "# Frobnicator\n\nIt frobs.", "src/app.ts": "1"})
    text = of(repository_folder, test="pytest -q")
    for part in ("src/lib.py", "src/app.ts", "Python 2", "TypeScript 1", "It frobs.", "test: pytest -q"):
        assert part in text
    assert "Say what it is\nAdd a library" in text


def test_a_huge_repository_fits(repository_folder: Path) -> None:
    """9,000 files in 900 folders are summed up by folder, the largest first, and what is left out is counted."""
    paths = [b"big/area%d/part%d/f%d.py" % (n % 30, n % 900, n) for n in range(9_000)]
    text = committed(repository_folder, [*paths, *(b"top%d.md" % n for n in range(100)), b"small/a.go"])
    assert len(text) < MOST
    assert "9101 tracked files, by language: Python 9000, prose 100, Go 1." in text
    assert "big/  9000: Python 9000\nbig/area0/  300: Python 300\n" in text
    assert "small/  1: Go 1" in text
    assert "smaller folders are not shown" in text
    assert "(60 more files at the top)" in text


def test_a_deep_repository_fits(repository_folder: Path) -> None:
    """Folders in folders without end, with names as long as they can be, stay within the bound."""
    long, deep = b"/".join([b"d" * 200] * 15), b"/".join([b"d"] * 1_500)
    for folder in (long, deep):
        text = committed(repository_folder, [b"%b/%d/f.py" % (folder, n) for n in range(300)])
        assert len(text) < MOST


def test_hostile_names_stay_names(repository_folder: Path) -> None:
    """Line breaks, escape codes, fences and bytes that are no text cannot leave their line."""
    names = [b"a\nb.py", b"\x1b[2J.py", b"\xff.py", b"```", b"sk-ant-api03-" + b"x" * 40]
    text = committed(repository_folder, names)
    assert "'a\\nb.py'" in text
    assert "'\\x1b[2J.py'" in text
    assert "'\\udcff.py'" in text
    assert "\n````\n" in text
    assert "[redacted anthropic-key]" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    text.encode()


@pytest.mark.parametrize("text", [b"", b"\x00\xff\xfe", b"x" * 10**6, b"\n" * 10**6])
def test_any_readme_is_bounded(repository_folder: Path, text: bytes) -> None:
    """Empty, binary and endless pages take at most their share."""
    commit(repository_folder, "Read me", {"README": text, "readme.md": text, "AGENTS.md": text, "CLAUDE.md": text})
    assert len(of(repository_folder)) < MOST


def test_a_secret_is_not_cut_in_half(repository_folder: Path) -> None:
    """A credential at the very end of what is shown of a page is left out, too."""
    secret = "ghp_" + "a1B2" * 9
    commit(repository_folder, f"Use {secret}", {"README.md": "y" * 3_990 + " " + secret})
    text = of(repository_folder)
    assert "ghp_a1" not in text
    assert "Use [redacted github-token]" in text


def test_without_checks_it_says_so(repository_folder: Path) -> None:
    """That nothing judges the work is told to who plans it."""
    assert "No checks are configured" in of(repository_folder)


def test_long_subjects_are_cut(repository_folder: Path) -> None:
    """A commit's subject takes one line of bounded length, and history a bounded number of them."""
    for number in range(25):
        git("commit", "-q", "--allow-empty", "-m", f"{number} " + "z" * 5_000, cwd=repository_folder)
    text = of(repository_folder)
    assert len(text) < MOST
    assert "24 zz" in text
    assert "\n4 zz" not in text
