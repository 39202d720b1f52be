"""New objects survive the user's `git gc --prune=now` at the worst moment: written, and no ref leads to them yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitorch.git import kept_packs
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.git.writing import unreferenced
from gitorch.git.writing.file_commit import commit_files
from gitorch.model import note
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate
from gitorch.replay.memory import MemoryReplayer
from gitorch.replay.octopus import merge_heads
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
    updates = note_store.build(
        repo, {oid: [note.Line(b'{"kind": "x", "of": "%s"}' % oid.encode(), None)] for oid in ids}
    )
    assert len(kept(repository_folder)) == 1
    clean_up(repository_folder)
    repo.update_refs(updates, "test")
    assert kept(repository_folder) == []
    clean_up(repository_folder)
    git("fsck", "--strict", cwd=repository_folder)
    assert len(note_store.read_all(repo)) == len(ids)
    assert [path.name for path in (repository_folder / ".git/objects").glob("gitorch-*")] == []


def test_notes_of_which_all_but_the_commit_are_there_already(
    repository_folder: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed command left the same notes of an earlier second: the new commit alone is stored, and not lost."""
    oid = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    lines = {oid: [note.Line(b'{"kind": "x"}', None)]}
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000000 +0000")
    (killed,) = note_store.build(repo, lines)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000001 +0000")
    (update,) = note_store.build(Repository.discover(repository_folder), lines)
    assert killed.new != update.new
    repo.update_refs([update], "test")
    assert len(note_store.read_all(repo)) == 1


def test_a_pack_without_an_index_is_completed(
    repository_folder: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is killed while it moves a pack in leaves a file that git does not see."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000000 +0000")  # the next command makes the same commit
    oid = Oid(git("rev-parse", "HEAD", cwd=repository_folder))
    lines = {oid: [note.Line(b'{"kind": "x"}', None)]}
    updates = note_store.build(repo, lines)
    (index,) = (path.with_suffix(".idx") for path in kept(repository_folder))
    index.unlink()
    again = note_store.build(Repository.discover(repository_folder), lines)
    assert again == updates
    repo.update_refs(again, "test")
    assert len(note_store.read_all(repo)) == 1


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
        note_store.append(repo, {head: [note.Line(b'{"kind": "x", "n": %d}' % number, None)]}, "test")
        if number == 30:
            clean_up(repository_folder)
    packs = [*(repository_folder / ".git" / "objects" / "pack").glob("*.pack")]
    assert len(packs) < 25
    assert [line.text.split()[-1] for line in note_store.read(repo, head)] == [b"%d}" % number for number in range(50)]
    git("fsck", "--strict", cwd=repository_folder)


GIT_THAT_WAITS = r"""#!/bin/sh
# `git repack` runs this as git: it has listed the packs that it will delete, and not yet looked at any object
case " $* " in *" pack-objects "*) touch "$STARTED"; while [ ! -e "$GO_ON" ]; do sleep 0.02; done ;; esac
unset GIT_EXEC_PATH
exec "$GIT" "$@"
"""


def test_the_same_objects_again_while_git_repacks(
    repository_folder: Path, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repack deletes the packs that it found at its start: what is stored again is in another one."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1000000000 +0000")
    commits, onto = two_branches(repository_folder)

    def publish() -> Oid:
        with MemoryReplayer(repo) as replayer:
            replayed = replayer.replay(commits, onto)
            assert isinstance(replayed, Replayed)
            replayer.keep(replayed.tip)
        repo.update_refs([RefUpdate(Ref("refs/heads/result"), replayed.tip, None)], "test")
        return replayed.tip

    first = publish()
    repo.update_refs([RefUpdate(Ref("refs/heads/result"), None, first)], "undo")
    program = tmp_path / "exec" / "git"
    program.parent.mkdir()
    program.write_text(GIT_THAT_WAITS)
    program.chmod(0o755)
    started, go_on = tmp_path / "started", tmp_path / "go-on"
    variables = {"GIT_EXEC_PATH": str(program.parent), "STARTED": str(started), "GO_ON": str(go_on)}
    variables["GIT"] = str(shutil.which("git"))
    repack = subprocess.Popen(["git", "repack", "-a", "-d", "-q"], cwd=repository_folder, env=os.environ | variables)
    while not started.exists():
        assert repack.poll() is None
        time.sleep(0.02)
    with MemoryReplayer(repo) as replayer:
        again = replayer.replay(commits, onto)
        assert isinstance(again, Replayed)
        replayer.keep(again.tip)
        go_on.touch()
        assert repack.wait(300) == 0
    assert again.tip == first
    repo.update_refs([RefUpdate(Ref("refs/heads/result"), again.tip, None)], "test")
    git("fsck", "--strict", "--connectivity-only", cwd=repository_folder)


@pytest.mark.parametrize("whole_trees", [False, True])
def test_a_replay_whose_objects_are_there_already(
    repository_folder: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch, whole_trees: bool
) -> None:
    """A candidate that was replaced has left the same files: what is stored now must not build on them."""
    base = Oid(git("rev-parse", "main", cwd=repository_folder))
    lines = [f"{number}\n" for number in range(40)]
    start = Oid(commit(repository_folder, "Start", {"in/deep/a": "".join(lines), "b": "b\n"}))
    git("switch", "-q", "-c", "one", cwd=repository_folder)
    tip = Oid(commit(repository_folder, "One", {"in/deep/a": "".join(["one\n", *lines[1:]]), "c": "c\n"}))
    git("switch", "-q", "main", cwd=repository_folder)
    onto = Oid(commit(repository_folder, "Two", {"in/deep/a": "".join([*lines[:-1], "two\n"])}))
    assert base != start
    packs = repository_folder / ".git" / "objects" / "pack"

    def keep(second: int) -> tuple[Oid, set[Path]]:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{second} +0000")
        before = {*packs.iterdir()}
        with MemoryReplayer(Repository.discover(repository_folder), whole_trees=whole_trees) as replayer:
            replayed = replayer.replay(CommitRange(start, tip), onto)
            assert isinstance(replayed, Replayed)
            replayer.keep(replayed.tip)
        return replayed.tip, {*packs.iterdir()} - before

    left, files = keep(1_000_000_000)
    new, _ = keep(1_000_000_001)
    assert new != left
    for file in files:
        file.unlink()
    repo.update_refs([RefUpdate(Ref("refs/heads/result"), new, None)], "test")
    git("fsck", "--strict", "--connectivity-only", cwd=repository_folder)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_single_commit(tmp_path: Path, object_format: str) -> None:
    """Such as one that was signed or squashed: no `git gc` removes it before a ref leads to it."""
    git("init", "-q", f"--object-format={object_format}", str(tmp_path / "r"), cwd=tmp_path)
    commit(tmp_path / "r", "One", {"a": "a\n"})
    repository = Repository.discover(tmp_path / "r")
    (head,) = repository.commits([Oid(git("rev-parse", "HEAD", cwd=tmp_path / "r"))])
    oid = unreferenced.store_commit(repository, head.raw.replace(b"\n\n", b"\n\nNew: "))
    clean_up(tmp_path / "r")
    repository.update_refs([RefUpdate(Ref("refs/heads/result"), oid, None)], "test")
    assert kept(tmp_path / "r") == []
    assert git("log", "-1", "--format=%s", "result", cwd=tmp_path / "r") == "New: One"
    git("fsck", "--strict", cwd=tmp_path / "r")


@pytest.mark.parametrize("make", ["files", "merge"])
def test_a_commit_made_without_a_worktree(repository_folder: Path, repo: Repository, make: str) -> None:
    """Such as the reviewer's, which moves no branch before its checks have ended, or the base of several tasks."""
    commits, onto = two_branches(repository_folder)
    if make == "files":
        tip = commit_files(repo, onto, {"deep/er/new.txt": ("100644", b"new\n")}, "Apply\n")
    else:
        merged = merge_heads(repo, [commits.tip, onto], "Both\n")
        assert isinstance(merged, str)
        tip = Oid(merged)
    clean_up(repository_folder)
    repo.update_refs([RefUpdate(Ref("refs/heads/result"), tip, None)], "test")
    assert git("ls-tree", "-r", "--name-only", "result", cwd=repository_folder)
    git("fsck", "--strict", cwd=repository_folder)


def test_a_folder_in_use_is_not_removed_after_the_clock_has_jumped(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To another process it looks as old as one that a killed process of this id has left, which is removed."""
    objects = repo.common_dir / "objects"
    left = objects / f"{kept_packs.INCOMING}{os.getppid()}-left"
    left.mkdir()
    with unreferenced.tentative(repo) as env:
        used = Path(env["GIT_OBJECT_DIRECTORY"])
        later, own = time.time() + 400 * 86_400, os.getpid()
        monkeypatch.setattr(time, "time", lambda: later)
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        with unreferenced.tentative(repo):
            assert used.is_dir()
            assert not left.exists()
