"""A git that hangs ends with words: a pipe in the place of an object, a process that was stopped."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from gitorch.git import process, stalls
from gitorch.git.repository import GitFailed, Repository
from gitorch.services.change_watch.new_pipes import NewPipes
from gitorch.storage import foreign_changes
from tests.support.git import git


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the reason at once, and end what has none soon."""
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(stalls, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(stalls, "_TICK_SECONDS", 0.1)
    monkeypatch.setattr(process, "LONGEST_SECONDS", 2.0)


def pipe_at(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.usefixtures("impatient")
def test_a_pipe_in_the_place_of_an_object(repository_folder: Path) -> None:
    """A process that answers requests, one that prints lines, and a plain call name it; later calls start nothing."""
    blob = git("hash-object", "-w", "--stdin", cwd=repository_folder, input=b"some text")
    path = pipe_at(repository_folder / ".git" / "objects" / blob[:2] / blob[2:])
    words = f"{re.escape(str(path))} is a pipe"
    repo = Repository.discover(repository_folder)
    batch = repo.start_batch("cat-file", "--batch")
    batch.send(f"{blob}\n".encode())
    with pytest.raises(GitFailed, match=words):
        batch.read_line()
    with pytest.raises(GitFailed, match=words):
        list(Repository.discover(repository_folder).lines("cat-file", "blob", blob))
    with pytest.raises(GitFailed, match=words) as caught:
        repo.git("cat-file", "blob", blob)
    assert (caught.value.code, caught.value.exit) == ("pipe-in-repository", 4)
    assert caught.value.fix == (f"rm {path}", "git fsck")
    path.unlink()
    assert repo.git("cat-file", "-e", blob, ok=(1,)).code == 1


def read(folder: Path, repo: Repository | None = None) -> None:
    repo = repo or Repository.discover(folder)
    repo.git("for-each-ref")
    repo.git("status", cwd=folder)


@pytest.mark.parametrize(
    "name", ["HEAD", "config", "index", "packed-refs", "info/exclude", "refs/heads/pipe", "shallow"]
)
@pytest.mark.usefixtures("impatient")
def test_a_pipe_in_the_place_of_a_file_of_git(repository_folder: Path, name: str) -> None:
    """Git opens it and waits: the call ends with its path."""
    path = pipe_at(repository_folder / ".git" / name)
    with pytest.raises(GitFailed, match=f"{re.escape(str(path))} is a pipe"):
        read(repository_folder)


@pytest.mark.usefixtures("impatient")
def test_a_pipe_that_a_run_removes_is_not_noticed(repository_folder: Path) -> None:
    """Where nothing was, it is removed and recorded, and git runs again; what it replaced is not made up."""
    folder = repository_folder / ".git"
    (folder / "gitorch").mkdir()
    repo = Repository.discover(repository_folder)
    repo.remove_pipes_by(NewPipes(folder, folder / "gitorch").remove)
    pipes = [pipe_at(folder / name) for name in ("packed-refs", "refs/heads/pipe", "index")]
    read(repository_folder, repo)
    assert not any(map(stalls.is_pipe, pipes))
    lines = [change.what for change in foreign_changes.recorded(folder / "gitorch")]
    assert sorted(line.split()[0] for line in lines) == ["index", "packed-refs", "refs/heads/pipe"]
    assert [*(folder / "gitorch").glob("pipe-*")] == []
    head = pipe_at(folder / "HEAD")
    with pytest.raises(GitFailed, match=f"{re.escape(str(head))} is a pipe"):
        read(repository_folder, repo)
    assert stalls.is_pipe(head)


@pytest.mark.usefixtures("impatient")
def test_a_pipe_in_the_place_of_attributes(repository_folder: Path) -> None:
    """A file of a work tree that git reads by its name; other pipes there, and other work trees, are not affected."""
    pipe_at(repository_folder / "some-pipe")
    repo = Repository.discover(repository_folder)
    repo.git("status", cwd=repository_folder)
    other = repository_folder.with_name("other")
    repo.git("worktree", "add", str(other))
    path = pipe_at(repository_folder / ".gitignore")
    with pytest.raises(GitFailed, match=f"{re.escape(str(path))} is a pipe"):
        repo.git("status", cwd=repository_folder)
    repo.git("status", cwd=other)


@pytest.mark.usefixtures("impatient")
def test_git_that_is_slow_for_another_reason(repo: Repository) -> None:
    """It has its time, and no more; what an agent makes in its room, below gitorch's folder, is no reason to end it."""
    room = repo.common_dir / "gitorch" / "rooms" / "a"
    room.mkdir(parents=True)
    pipe_at(room / "HEAD")
    assert repo.git("-c", "alias.slow=!sleep 0.5; echo done", "slow").text == "done"
    with pytest.raises(GitFailed, match="git slow did not answer within 2 s and was stopped") as caught:
        repo.git("-c", "alias.slow=!exec sleep 600", "slow")
    assert (caught.value.code, caught.value.fix) == ("git-timeout", ("git fsck",))


def test_a_stopped_process(repository_folder: Path, repo: Repository) -> None:
    """It is killed, also while it should end."""
    head = git("rev-parse", "HEAD", cwd=repository_folder)
    batch = repo.start_batch("cat-file", "--batch")
    batch.send(f"{head}\n".encode())
    assert batch.read_line().endswith(b"\n")
    batch._watch.limit = 0.2
    os.kill(batch._process.pid, signal.SIGSTOP)
    batch.close()
    assert batch._process.returncode == -signal.SIGKILL
