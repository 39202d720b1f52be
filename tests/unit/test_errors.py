"""What the operating system refuses is said in words, with what to do, and the exit code of its kind."""

from __future__ import annotations

import errno
import os

import pytest

from gitorch.errors import system_error
from gitorch.git.process import Output, command_failed


@pytest.mark.parametrize(
    ("number", "code", "exit_code"),
    [
        (errno.ENOSPC, "disk-full", 4),
        (errno.EDQUOT, "disk-full", 4),
        (errno.EROFS, "read-only", 4),
        (errno.EACCES, "no-permission", 4),
        (errno.EIO, "disk-error", 4),
        (errno.EMFILE, "too-many-files", 4),
        (errno.EISDIR, "in-the-way", 5),
    ],
)
def test_an_error_of_the_system_names_the_place_and_the_fix(number: int, code: str, exit_code: int) -> None:
    """It is no bug of ours, and no traceback."""
    error = system_error(OSError(number, os.strerror(number), "/repo/.git/gitorch/tasks.toml"))
    assert error is not None
    assert (error.code, error.exit) == (code, exit_code)
    assert "/repo/.git/gitorch/tasks.toml" in error.what
    assert error.why == os.strerror(number)
    assert error.fix


def test_other_errors_stay_bugs() -> None:
    """A missing file that we expected is one."""
    assert system_error(FileNotFoundError(errno.ENOENT, "no such file", "x")) is None


def test_a_git_that_finds_the_disk_full_says_so() -> None:
    """Its exit code does not tell, its message does."""
    stderr = b"error: unable to write file .git/objects/ab: No space left on device\nfatal: cannot write\n"
    error = command_failed(["commit-tree"], Output(b"", stderr, 128))
    assert (error.code, error.exit) == ("disk-full", 4)
    assert command_failed(["log"], Output(b"", b"fatal: bad revision", 128)).exit == 1


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["commit", "-q"], "commit"),
        (["-c", "a.b=c", "-C", "/x", "--bare", "merge-tree", "-z"], "merge-tree"),
        (["-v"], "-v"),
    ],
)
def test_an_error_of_git_names_its_command(arguments: list[str], command: str) -> None:
    """Options of git itself come before the command."""
    assert command_failed(arguments, Output(b"", b"", 3)).what == f"git {command} ended with exit code 3"
