"""Files that git ignores, on their way to another machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.git.exchange import sent_files
from gitorch.git.exchange.attempts import ExchangeFailed, Mirror
from gitorch.git.repository import Repository
from tests.support.git import git

ODD = "*odd [ name?"


@pytest.fixture
def home(repository_folder: Path) -> Repository:
    return Repository.discover(repository_folder)


def files(folder: Path) -> list[tuple[str, Path]]:
    """Make files, a program, a folder with a link, and a pipe."""
    (folder / "data").mkdir(parents=True)
    (folder / ".env").write_text("A=1\n")
    (folder / ODD).write_text("odd\n")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / "data" / "link").symlink_to("../.env")
    (folder / "data" / "empty").mkdir()
    os.mkfifo(folder / "data" / "pipe")
    return [(name, folder / name) for name in (".env", ODD, "tool", "data")]


def test_files_arrive_as_they_were(home: Repository, tmp_path: Path) -> None:
    """With their kinds and modes, in a folder that nobody else can enter; the other repository ignores them."""
    content = sent_files.archive(files(tmp_path / "checkout"))
    commit = sent_files.store(home, content)
    mirror = Mirror(tmp_path / "mirror.git", str(home.common_dir))
    mirror.fetch(commit)
    borrowed = mirror.borrow(tmp_path / "borrowed.git", commit, "Some Body", "some@body")
    sent_files.unpack(borrowed, commit, tmp_path / "there")
    assert (tmp_path / "there").stat().st_mode & 0o077 == 0
    assert (tmp_path / "there" / ODD).read_text() == "odd\n"
    assert os.access(tmp_path / "there" / "tool", os.X_OK)
    assert os.readlink(tmp_path / "there" / "data" / "link") == "../.env"
    assert sorted(path.name for path in (tmp_path / "there" / "data").iterdir()) == ["empty", "link"]
    words = ("--work-tree", str(tmp_path / "there"), "ls-files", "--others", "--exclude-standard")
    (tmp_path / "there" / "other odd  name").write_text("")
    assert git("--git-dir", str(borrowed.common_dir), *words, cwd=tmp_path / "there") == "other odd  name"


def test_the_same_files_are_stored_once(home: Repository, tmp_path: Path) -> None:
    """One ref holds the newest ones, whatever they were before."""
    content = sent_files.archive(files(tmp_path / "checkout"))
    first = sent_files.store(home, content)
    assert sent_files.store(home, content) == first
    assert home.read_ref(sent_files.REF) == first
    (tmp_path / "checkout" / ".env").write_text("A=2\n")
    changed = sent_files.archive([(".env", tmp_path / "checkout" / ".env")])
    second = sent_files.store(home, changed)
    assert second != first
    assert home.read_ref(sent_files.REF) == second
    assert sent_files.store(home, content) == first


def test_too_many_bytes(tmp_path: Path) -> None:
    """They are counted before they are read."""
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "file").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(sent_files.TooLarge):
        sent_files.archive([("large", tmp_path / "large")])


def test_an_archive_that_is_none(home: Repository, tmp_path: Path) -> None:
    """A damaged one, and one that leads out of its folder, are refused."""
    damaged = sent_files.store(home, b"no archive")
    with pytest.raises(ExchangeFailed, match=r"prepare\.copy"):
        sent_files.unpack(home, damaged, tmp_path / "a")
    (tmp_path / "file").write_text("")
    out = sent_files.store(home, sent_files.archive([("../../out", tmp_path / "file")]))
    with pytest.raises(ExchangeFailed, match=r"prepare\.copy"):
        sent_files.unpack(home, out, tmp_path / "b")
    assert not (tmp_path.parent / "out").exists()
