"""New objects survive the user's `git gc --prune=now` at the worst moment: written, and no ref leads to them yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.git import kept_packs, notes
from gitorch.git.repository import Repository
from gitorch.model import note
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate
from gitorch.replay.memory import MemoryReplayer
from gitorch.replay.values import CommitRange, Replayed
from tests.support.git import commit, git

PRUNE = (("gc", "-q", "--prune=now"), ("prune", "--expire=now"), ("repack", "-q", "-a", "-d"))


def clean_up(folder: Path) -> None:
    for words in PRUNE:
        git(*words, cwd=folder)


def kept(folder: Path) -> list[Path]:
    return sorted((folder / ".git" / "objects" / "pack").glob("*.keep"))


def two_branches(folder: Path) -> tuple[CommitRange, Oid]:
    base = Oid(git("rev-parse", "main", cwd=folder))
    git("switch", "-q", "-c", "one", cwd=folder)
    tip = Oid(commit(folder, "One", {"one.txt": "1\n"}))
    git("switch", "-q", "main", cwd=folder)
    return CommitRange(base, tip), Oid(commit(folder, "Two", {"two.txt": "2\n"}))


@pytest.mark.parametrize("count", [1, 400])
def test_notes_that_are_not_published_yet(repository_folder: Path, repo: Repository, count: int) -> None:
    """They are in a pack, which is as any other once the ref has moved."""
    ids = [Oid(git("rev-parse", "HEAD", cwd=repository_folder))]
    if count > 1:
        stream = "".join(f"commit refs/heads/many\ncommitter U <u@x.org> {n} +0000\ndata 1\nx\n" for n in range(count))
        git("fast-import", "--quiet", "--force", cwd=repository_folder, input=stream.encode())
        ids = [Oid(line) for line in git("rev-list", "many", cwd=repository_folder).split("\n")]
    updates = notes.build(repo, {oid: [note.Line(b'{"kind": "x", "of": "%s"}' % oid.encode(), None)] for oid in ids})
    assert len(kept(repository_folder)) == 1
    clean_up(repository_folder)
    repo.update_refs(updates, "test")
    assert kept(repository_folder) == []
    clean_up(repository_folder)
    git("fsck", "--strict", cwd=repository_folder)
    assert len(notes.read_all(repo)) == len(ids)
    assert [path.name for path in (repository_folder / ".git/objects").glob("gitorch-*")] == []


def test_notes_of_which_all_but_the_commit_are_there_already(
    repository_folder: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed command left the same notes of an earlier second: the new commit alone is stored, and not lost."""
    oid = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    lines = {oid: [note.Line(b'{"kind": "x"}', None)]}
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000000 +0000")
    (killed,) = notes.build(repo, lines)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000001 +0000")
    (update,) = notes.build(Repository.discover(repository_folder), lines)
    assert killed.new != update.new
    repo.update_refs([update], "test")
    assert len(notes.read_all(repo)) == 1


def test_a_pack_without_an_index_is_completed(repository_folder: Path, repo: Repository) -> None:
    """A command that is killed while it moves a pack in leaves a file that git does not see."""
    oid = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    lines = {oid: [note.Line(b'{"kind": "x"}', None)]}
    updates = notes.build(repo, lines)
    (index,) = (path.with_suffix(".idx") for path in kept(repository_folder))
    index.unlink()
    again = notes.build(Repository.discover(repository_folder), lines)
    assert again == updates
    repo.update_refs(again, "test")
    assert len(notes.read_all(repo)) == 1


def test_a_replay_that_is_not_published_yet(repository_folder: Path, repo: Repository) -> None:
    """Its pack is kept until a ref leads to its tip."""
    commits, onto = two_branches(repository_folder)
    with MemoryReplayer(repo) as replayer:
        replayed = replayer.replay(commits, onto)
        assert isinstance(replayed, Replayed)
        replayer.keep(replayed.tip)
    clean_up(repository_folder)
    assert len(kept(repository_folder)) == 1
    repo.update_refs([RefUpdate(Ref("refs/heads/result"), replayed.tip, None)], "test")
    assert kept(repository_folder) == []
    git("fsck", "--strict", cwd=repository_folder)
    assert git("show", "result:one.txt", "result:two.txt", cwd=repository_folder) == "1\n2"


def test_what_a_killed_command_left_is_removed(repository_folder: Path, repo: Repository) -> None:
    """By the next one that stores a pack; the user's own `.keep` files and those of live processes stay."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    objects = repository_folder / ".git" / "objects"
    names = {"a": f"gitorch {ended.pid}", "b": f"gitorch {os.getppid()}", "c": "mine", "d": ""}
    for name, text in names.items():
        (objects / "pack" / f"pack-{name}.keep").write_text(text)
    (objects / f"{kept_packs.INCOMING}{ended.pid}-x").mkdir()
    commits, onto = two_branches(repository_folder)
    with MemoryReplayer(repo) as replayer:
        replayed = replayer.replay(commits, onto)
        assert isinstance(replayed, Replayed)
        replayer.keep(replayed.tip)
    assert [path.stem[5:] for path in kept(repository_folder) if len(path.stem) == 6] == ["b", "c", "d"]
    assert not [*objects.glob(f"{kept_packs.INCOMING}*")]


def test_small_packs_become_one(repository_folder: Path, repo: Repository) -> None:
    """However many notes are written one after the other, also while git packs them itself."""
    head = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    for number in range(50):
        notes.append(repo, {head: [note.Line(b'{"kind": "x", "n": %d}' % number, None)]}, "test")
        if number == 30:
            clean_up(repository_folder)
    packs = [*(repository_folder / ".git" / "objects" / "pack").glob("*.pack")]
    assert len(packs) < 25
    assert [line.text.split()[-1] for line in notes.read(repo, head)] == [b"%d}" % number for number in range(50)]
    git("fsck", "--strict", cwd=repository_folder)
