"""A git that hangs ends with words: a pipe in the place of an object, a process that was stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gitorch.git import process
from gitorch.git.repository import GitFailed, Repository
from tests.support.git import git


def test_a_pipe_in_the_place_of_an_object(
    repository_folder: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that answers requests, one that prints lines, and a plain call."""
    blob = git("hash-object", "-w", "--stdin", cwd=repository_folder, input=b"some text")
    path = repository_folder / ".git" / "objects" / blob[:2] / blob[2:]
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(process, "LONGEST_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(process, "LONGEST_SECONDS", 0.2)
    batch = repo.start_batch("cat-file", "--batch")
    batch.send(f"{blob}\n".encode())
    with pytest.raises(GitFailed, match="git cat-file did not answer within 0 s and was stopped"):
        batch.read_line()
    with pytest.raises(GitFailed, match="git cat-file did not answer"):
        list(repo.lines("cat-file", "blob", blob))
    with pytest.raises(GitFailed, match="git cat-file did not answer") as caught:
        repo.git("cat-file", "blob", blob)
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
