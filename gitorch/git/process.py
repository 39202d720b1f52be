"""The one door to git: how it is started, what it printed, and how one that answers many questions is asked."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from gitorch.errors import GitorchError, SetupNeeded

if TYPE_CHECKING:
    import git

# our own git runs no hooks and no daemons of anybody's, asks nothing, and writes durably
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "log.showSignature=false",
    "advice.detachedHead=false",
    "core.quotePath=false",
    "submodule.recurse=false",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
    "GIT_SEQUENCE_EDITOR": "false",
    "GIT_PAGER": "cat",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LFS_SKIP_SMUDGE": "0",
}


class GitFailed(GitorchError):
    """A git command ended in a way that its caller did not expect."""


class Output(msgspec.Struct, frozen=True):
    """What a git command printed, and its exit code."""

    stdout: bytes
    stderr: bytes
    code: int

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def fields(self) -> list[str]:
        """Return output that was asked for with `-z` as a list of its entries."""
        return self.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1] if self.stdout else []


_LAST_WORDS = 8  # of at most 4 kB each


class Dialogue:
    """A git process that is asked many times."""

    def __init__(self, process: Any, what: str) -> None:
        self._kept = process  # GitPython ends the process when this is gone
        self._process = process.proc
        self._what = what
        self._words: deque[bytes] = deque(maxlen=_LAST_WORDS)
        # a full pipe of warnings would stop the process; the thread has an end of its own, so that it neither holds
        # what ends the process nor is in the way of whoever closes the pipe
        heard = (os.dup(self._process.stderr.fileno()), self._words)
        self._listener = threading.Thread(target=_listen, args=heard, daemon=True)
        self._listener.start()

    def ask(self, question: bytes) -> None:
        """Send a question. What is sent before an answer is read must fit into a pipe (64 kB)."""
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def line(self) -> bytes:
        """Return the next line of the answer."""
        found: bytes = self._process.stdout.readline()
        if not found.endswith(b"\n"):
            raise self._ended()
        return found

    def exactly(self, count: int) -> bytes:
        """Return the next bytes of the answer."""
        found: bytes = self._process.stdout.read(count)
        if len(found) != count:
            raise self._ended()
        return found

    def until(self, end: bytes) -> bytes:
        """Return the answer up to `end`, with which what has been written so far ends."""
        found = b""
        while not found.endswith(end):
            more: bytes = self._process.stdout.read1(65_536)
            if not more:
                raise self._ended()
            found += more
        return found

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _ended(self) -> GitFailed:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        code = self._process.wait()
        self._listener.join()
        return failed([self._what], Output(b"", b"".join(self._words), code))


def _listen(descriptor: int, words: deque[bytes]) -> None:
    """Read to the end of a pipe, and close it."""
    with suppress(OSError):
        while heard := os.read(descriptor, 4_096):
            words.append(heard)
    os.close(descriptor)


class _Lent(threading.local):
    """The locks that git processes of this thread hold, too."""

    files: tuple[int, ...] = ()


class Door:
    """Git, as it is run on one repository."""

    def __init__(self, common_dir: Path) -> None:
        self.common_dir = common_dir
        self._lent: tuple[int, ...] = ()
        self._lent_here = _Lent()

    @cached_property
    def _git(self) -> git.Git:
        # GitPython takes longer to import than `orchestrate status` takes in all, so only what works on commits pays
        import git

        return git.Git(self.common_dir)

    def git(
        self,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        ok: Container[int] = (0,),
    ) -> Output:
        """Run git and return what it printed; raise `GitFailed` when its exit code is not in `ok`.

        Without `cwd` it works on the repository with no work tree; with it, on the worktree there. `git_dir` names
        that worktree's own git folder, so that nothing depends on the `.git` file that an agent could replace.
        """
        process = self._started(args, env, cwd, git_dir, asked=input is not None)
        stdout, stderr = process.communicate(input)
        output = Output(stdout, stderr, process.returncode)
        if output.code not in ok:
            raise failed(args, output)
        return output

    def converse(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        through: Sequence[str] = (),
    ) -> Dialogue:
        """Start a git process that answers many questions; `through` is a program that starts it (`stdbuf -o0`)."""
        process = self._started(args, env, cwd, git_dir, asked=True, through=through)
        return Dialogue(process, next(word for word in args if word[0] != "-" and "=" not in word))

    def _started(
        self,
        args: Sequence[str],
        env: Mapping[str, str] | None,
        cwd: Path | None,
        git_dir: Path | None,
        *,
        asked: bool,
        through: Sequence[str] = (),
    ) -> Any:
        command = [*through, "git", "--no-pager", *(word for setting in _SETTINGS for word in ("-c", setting))]
        command += self._place(cwd, git_dir)
        command += args
        return self._git.execute(
            command,
            istream=subprocess.PIPE if asked else subprocess.DEVNULL,
            as_process=True,
            pass_fds=(*self._lent, *self._lent_here.files),
            env={**_ENVIRONMENT, **(env or {})},
            with_exceptions=False,
        )

    @contextmanager
    def lending(self, lock: IO[str] | int, *, everywhere: bool = True) -> Iterator[None]:
        """Let the git processes that are started meanwhile hold a locked file, too; or only those of this thread.

        When this process is killed, they live on for a moment; the lock is free when the last of them has ended.
        What is lent `everywhere` must stay open until all threads are done.
        """
        file = lock if isinstance(lock, int) else lock.fileno()
        lent, here = self._lent, self._lent_here.files
        if everywhere:
            self._lent = (*lent, file)
        else:
            self._lent_here.files = (*here, file)
        try:
            yield
        finally:
            if everywhere:
                self._lent = lent
            else:
                self._lent_here.files = here

    def _place(self, cwd: Path | None, git_dir: Path | None) -> list[str]:
        if cwd is None:
            return [f"--git-dir={git_dir or self.common_dir}"]
        return ["-C", str(cwd), *([f"--git-dir={git_dir}", f"--work-tree={cwd}"] if git_dir else [])]


def failed(args: Sequence[str], output: Output) -> GitFailed:
    """Return the error for a git command that ended with an unexpected exit code."""
    words = output.stderr.decode("utf-8", "replace").strip()
    return GitFailed("git-failed", f"git {args[0]} ended with exit code {output.code}", why=words)


def run(argv: Sequence[str]) -> Output:
    """Run a git command line without GitPython, for what is asked too often to wait for its import.

    Raises `SetupNeeded` where there is no git.
    """
    try:
        done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        if error.filename != argv[0]:
            raise
        raise SetupNeeded("git-missing", "git is not installed, or not on PATH") from error
    return Output(done.stdout, done.stderr, done.returncode)
