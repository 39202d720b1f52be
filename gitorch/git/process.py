"""The one place that starts git: every call has the same settings, environment and inherited locks."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from gitorch.errors import GitorchError, SetupNeeded, system_error
from gitorch.git import cpu_limits
from gitorch.git.stalls import (
    PATIENCE_SECONDS,
    Watch,
    is_pipe,
    pipe_in_work_tree,
    pipes_in_repository,
    repository_around,
)
from gitorch.model.visible import readable, visible

if TYPE_CHECKING:
    from io import BufferedReader

# our git runs no hooks and no daemons, asks nothing, and writes durably
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.writeCommitGraph=false",
    "commit.gpgSign=false",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
    "advice.detachedHead=false",
    "core.quotePath=false",
    "core.safecrlf=false",  # as true, it refuses to save files whose line ends git changes
    "submodule.recurse=false",
    # what the user sets for the diffs that people read must not change those that we parse
    "diff.orderFile=/dev/null",
    "diff.interHunkContext=0",
    "diff.relative=false",
    "log.showRoot=true",
)
_OPTIONS = ("--no-pager", *(word for setting in _SETTINGS for word in ("-c", setting)))
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
    "GIT_SEQUENCE_EDITOR": "false",
    "GIT_PAGER": "cat",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LFS_SKIP_SMUDGE": "0",
    # messages are read by us and quoted in errors: always in one language
    "LANGUAGE": "C",
    "LC_ALL": "C",
}

_NOT_FOUND = 127
_MOST_PIPES = 3
"""How often a command runs again because a pipe was removed: a program may put one there again and again."""
LONGEST_SECONDS = 1_800.0
"""When a git process of gitorch is stopped: longer than a checkout of a million files takes, shorter than a night."""
_CPU_TICK_SECONDS = 1.0
_END_SECONDS = 5.0
LONGEST_ANSWER_SECONDS = 300.0
"""When one that answers requests is stopped: longer than a partial clone takes to fetch an object."""


class GitFailed(GitorchError):
    """A git command ended with an exit code that its caller did not expect."""

    def __init__(self, code: str, what: str, *, why: str = "", fix: tuple[str, ...] = (), exit: int = 1) -> None:
        super().__init__(code, what, why=why, fix=fix)
        self.exit = exit


class NeedsTooLong(GitFailed):
    """A git that read the files of a work tree used more processor time than honest work needs."""

    def __init__(self, place: Path, seconds: float, cause: Path | None) -> None:
        file = visible(readable(str(cause))) if cause else ""
        super().__init__(
            "git-needs-too-long",
            f"git needed more than {seconds:.0f} s of processor time for {visible(readable(str(place)))}",
            why=f"do patterns in {file or '.gitignore or .gitattributes'} repeat ** or *?",
            fix=(f"correct or remove {shlex.quote(file)}",) if file else (),
        )
        self.cause = cause

    @property
    def reason(self) -> str:
        return f"{self.what}: {self.why}"


class ReadsPipe(GitFailed):
    """A git that would wait for ever for a named pipe in the place of a file."""

    def __init__(self, pipe: Path) -> None:
        place = shlex.quote(visible(readable(str(pipe))))
        head = (f"echo 'ref: refs/heads/BRANCH' > {place}   with the branch that you were on",)
        super().__init__(
            "pipe-in-repository",
            f"git cannot read the repository: {visible(readable(str(pipe)))} is a pipe, for which it would wait",
            why="a program has put it in the place of a file",
            fix=(f"rm {place}", *(head if pipe.name == "HEAD" else ()), "git fsck"),
            exit=4,
        )


class Output(msgspec.Struct, frozen=True):
    """What a git command printed, and its exit code."""

    stdout: bytes
    stderr: bytes
    code: int

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def fields(self) -> list[str]:
        """Return NUL-separated output (`-z`) as a list."""
        return self.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1] if self.stdout else []


_NO_OBJECTS = "unable to create temporary object"


def command_failed(args: Sequence[str], output: Output) -> GitFailed:
    """Return the error for a git command that ended with an unexpected exit code."""
    message = output.stderr.decode("utf-8", "replace").strip()
    return cause_of_failure(output) or GitFailed(
        "git-failed", f"git {command_word(args)} ended with exit code {output.code}", why=message
    )


def cause_of_failure(output: Output) -> GitFailed | None:
    """Return the error if git failed for what the system refused: no space, or no permission to write; else None."""
    message = output.stderr.decode("utf-8", "replace").strip()
    # git's messages are in one language (LC_ALL), and its exit code does not tell
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        if os.strerror(number) in message and (refused := system_error(OSError(number, message))):
            return GitFailed(refused.code, refused.what, why=message, fix=refused.fix, exit=refused.exit)
    if _NO_OBJECTS in message:  # git does not say why: a read-only disk, or a missing permission
        fix = ("check that you can write to .git/objects",)
        return GitFailed("read-only", "cannot write objects of the repository", why=message, fix=fix, exit=4)
    return None


def command_word(args: Sequence[str]) -> str:
    """Return the command in the arguments of git, which may start with options of git itself: `-c KEY=VALUE`."""
    position = 0
    while position + 1 < len(args) and args[position].startswith("-"):
        position += 2 if args[position] in ("-c", "-C") else 1
    return args[min(position, len(args) - 1)]


class _ThreadLocks(threading.local):
    """The locked files that only the git processes of this thread inherit."""

    files: tuple[int, ...] = ()


class GitRunner:
    """Runs git on one repository; without a `common_dir`, only in a folder that the caller names."""

    def __init__(self, common_dir: Path | None = None) -> None:
        self.common_dir = common_dir
        self._locks: tuple[int, ...] = ()
        self._thread_locks = _ThreadLocks()
        self._pipe: Path | None = None
        self.remove_pipe: Callable[[Path], bool] | None = None
        """Returns whether it has removed a pipe that git waits for; what failed meanwhile then runs again."""

        self._removed = 0
        self.hurry: threading.Event | None = None
        """When this is set, a git that reads a work tree has a fifth of its processor time."""

    def run(
        self,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        ok: Container[int] = (0,),
    ) -> Output:
        """Run git and return what it printed; raise `GitFailed` if its exit code is not in `ok`.

        Without `cwd` it works on the repository with no work tree; with it, on the worktree in that folder. `git_dir`
        names that worktree's own git folder, so that nothing depends on the `.git` file, which an agent could replace.
        Raises `SetupNeeded` if git is not installed.
        """
        for _ in range(_MOST_PIPES):
            removed = self._removed
            try:
                output = self._run(args, input, env, cwd, git_dir, ok)
            except GitFailed:
                if removed == self._removed:
                    raise
            else:
                if output.code == 0 or removed == self._removed:
                    return output
        return self._run(args, input, env, cwd, git_dir, ok)

    def _run(
        self,
        args: Sequence[str],
        input: bytes | None,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        git_dir: Path | None,
        ok: Container[int],
    ) -> Output:
        word = command_word(args)
        if cwd is not None and git_dir is not None and (cause := cpu_limits.remembered(git_dir, word)):
            raise NeedsTooLong(Path(os.path.realpath(cwd)), cpu_limits.seconds_for(word), cause)
        command = ["git", *_OPTIONS, *self._location(cwd, git_dir), *args]
        with self._start(command, env, pipe_input=input is not None) as process:
            try:
                if cwd is not None:
                    cpu_limits.bound(process.pid, cpu_limits.seconds_for(word))
                stdout, stderr = self._communicate(process, input, cwd, word)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise _timed_out(word, LONGEST_SECONDS) from error
            except NeedsTooLong as error:
                if git_dir is not None and error.cause:
                    cpu_limits.remember(git_dir, error.cause)
                raise
            except BaseException:
                process.terminate()  # on SIGTERM git removes its lock files
                raise
        output = Output(stdout, stderr, process.returncode)
        if output.code not in ok:
            raise command_failed(args, output)
        return output

    def _communicate(
        self, process: subprocess.Popen[bytes], input: bytes | None, cwd: Path | None, word: str
    ) -> tuple[bytes, bytes]:
        """Return what git printed; raise `GitFailed` as soon as it is known that it will not end."""
        try:
            return process.communicate(input, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            if pipe := self.find_pipe(cwd) or (pipe_in_work_tree(cwd) if cwd else None):
                process.terminate()  # on SIGTERM git removes its lock files
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
                process.kill()
                raise ReadsPipe(pipe) from None
        if cwd is None:
            return process.communicate(timeout=LONGEST_SECONDS)
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            self._require_frugal(process, cwd, word)
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=_CPU_TICK_SECONDS)
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(process.args, LONGEST_SECONDS)

    def _require_frugal(self, process: subprocess.Popen[bytes], work_tree: Path, word: str) -> None:
        """End a git that has used too much processor time, and raise `NeedsTooLong`."""
        from gitorch.git import pattern_files, process_cpu  # only loaded to look at a slow git

        limit = cpu_limits.seconds_for(word, is_hurried=self.hurry is not None and self.hurry.is_set())
        if process_cpu.seconds_of(process.pid) > limit:
            members = process_cpu.terminate(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process_cpu.kill(members)
            place = Path(os.path.realpath(work_tree))
            raise NeedsTooLong(place, limit, pattern_files.likely_cause(place, self.common_dir))

    def find_pipe(self, cwd: Path | None = None) -> Path | None:
        """Return the pipe in the repository that git waits for.

        It is remembered, so that no later process waits for it. One in a work tree is not: agents can make it, and
        what other work trees hold can still be read.
        """
        folder = self.common_dir or (repository_around(cwd) if cwd else None)
        pipes = [*pipes_in_repository(folder)] if folder else []
        kept = [pipe for pipe in pipes if not self._remove(pipe)]
        self._pipe = next(iter(kept or pipes), None)
        return self._pipe

    def _remove(self, pipe: Path) -> bool:
        """Let a pipe be removed; return whether it was."""
        if not self.remove_pipe:
            return False
        self._removed += 1  # before: what waits for it fails at that moment, also in other threads
        if self.remove_pipe(pipe):
            return True
        self._removed -= 1
        return False

    def stalled(self, word: str, seconds: float) -> GitFailed:
        """Return the error for a git that was killed because it did not answer."""
        return ReadsPipe(self._pipe) if self._pipe else _timed_out(word, seconds)

    def run_program(self, command: Sequence[str], input: bytes | None = None) -> Output:
        """Run a program that git's configuration names, such as the one that signs commits, and return its answer.

        The exit code is the caller's to judge. A program that is not installed has exit code 127.
        """
        try:
            process = self._start(command, None, pipe_input=input is not None)
        except (FileNotFoundError, PermissionError, SetupNeeded):
            return Output(b"", f"{command[0]} is not installed, or cannot be run".encode(), _NOT_FOUND)
        with process:
            try:
                stdout, stderr = process.communicate(input)
            except BaseException:
                process.terminate()
                raise
        return Output(stdout, stderr, process.returncode)

    def lines(self, *args: str) -> Iterator[bytes]:
        """Run git on the repository, and yield the lines that it prints, in parts of at most 64 kB.

        Raises `GitFailed` at the end if its exit code is not 0.
        """
        command = ["git", *_OPTIONS, *self._location(None, None), *args]
        with self._start(command, None, pipe_input=False) as process:
            assert process.stdout
            assert process.stderr
            errors: deque[bytes] = deque(maxlen=_STDERR_CHUNKS)
            reader = _start_drain(process.stderr, errors)
            watch = Watch(process.kill, LONGEST_SECONDS, self.find_pipe)
            try:
                while line := _next_line(process.stdout, watch):
                    yield line
            except BaseException:
                process.terminate()
                raise
            reader.join()
        if watch.is_stalled:
            raise self.stalled(command_word(args), LONGEST_SECONDS)
        if process.returncode != 0:
            raise command_failed(args, Output(b"", b"".join(errors), process.returncode))

    def start_batch(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        git_dir: Path | None = None,
        wrapper: Sequence[str] = (),
        locks: bool = True,
    ) -> BatchProcess:
        """Start a git process that answers many requests; `wrapper` is a program that starts it (`stdbuf -o0`).

        Without `locks` it inherits none: it may live longer than the block that holds them.
        """
        command = [*wrapper, "git", *_OPTIONS, *self._location(cwd, git_dir), *args]
        name = next(word for word in args if word[0] != "-" and "=" not in word)
        return BatchProcess(self._start(command, env, pipe_input=True, locks=locks), name, self)

    @contextmanager
    def inherit_lock(self, lock: IO[str] | int, *, all_threads: bool = True) -> Iterator[None]:
        """Let the git processes started in this block, by all threads or by this one, hold a locked file as well.

        They outlive this process for a moment when it is killed; the lock is free when the last of them has ended.
        A lock for all threads must stay open until the threads are done.
        """
        descriptor = lock if isinstance(lock, int) else lock.fileno()
        locks, thread_locks = self._locks, self._thread_locks.files
        if all_threads:
            self._locks = (*locks, descriptor)
        else:
            self._thread_locks.files = (*thread_locks, descriptor)
        try:
            yield
        finally:
            if all_threads:
                self._locks = locks
            else:
                self._thread_locks.files = thread_locks

    def _start(
        self, command: Sequence[str], env: Mapping[str, str] | None, *, pipe_input: bool, locks: bool = True
    ) -> subprocess.Popen[bytes]:
        if self._pipe and is_pipe(self._pipe):
            raise ReadsPipe(self._pipe)
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE if pipe_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.common_dir,
                env={**os.environ, **_ENVIRONMENT, **(env or {})},
                pass_fds=(*self._locks, *self._thread_locks.files) if locks else (),
            )
        except FileNotFoundError as error:
            if error.filename != command[0]:
                raise GitFailed(
                    "not-a-repository",
                    f"the repository is gone: there is no folder {self.common_dir}",
                    why="it was moved or removed while this command worked",
                    exit=3,
                ) from error
            raise SetupNeeded("git-missing", "git is not installed, or not on PATH") from error

    def _location(self, cwd: Path | None, git_dir: Path | None) -> list[str]:
        if cwd is None:
            return [f"--git-dir={git_dir or self.common_dir}"]
        return ["-C", str(cwd), *([f"--git-dir={git_dir}", f"--work-tree={cwd}"] if git_dir else [])]


_LINE_BYTES = 65_536
_STDERR_CHUNKS = 8
"""How many of the last chunks of a process's stderr are kept for an error message, of at most 4 kB each."""


class BatchProcess:
    """A git process that answers many requests over its pipes, such as `cat-file --batch`."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, runner: GitRunner) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._runner = runner
        self._watch = Watch(process.kill, LONGEST_ANSWER_SECONDS, runner.find_pipe)
        self._stdin, self._stdout, self._stderr = process.stdin, cast("BufferedReader", process.stdout), process.stderr
        self._name = name
        self._errors: deque[bytes] = deque(maxlen=_STDERR_CHUNKS)
        # Popen stays alive while its process runs, so that stdin would stay open if this object is dropped unclosed
        weakref.finalize(self, _close, process.stdin)
        # the thread has no reference to this object: dropping the object ends the process
        self._reader = _start_drain(self._stderr, self._errors)

    def send(self, request: bytes) -> None:
        """Send a request. What is sent before an answer is read must fit into a pipe (64 kB)."""
        try:
            with self._watch:
                self._stdin.write(request)
                self._stdin.flush()
        except BrokenPipeError as error:
            raise self._failure() from error

    def read_line(self) -> bytes:
        """Return the next line of the answer."""
        with self._watch:
            line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise self._failure()
        return line

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes of the answer."""
        with self._watch:
            content = self._stdout.read(count)
        if len(content) != count:
            raise self._failure()
        return content

    def read_until(self, end: bytes) -> bytes:
        """Return the answer, which is complete when it ends with `end`."""
        answer = b""
        while not answer.endswith(end):
            with self._watch:
                chunk = self._stdout.read1(65_536)
            if not chunk:
                raise self._failure()
            answer += chunk
        return answer

    def close(self) -> None:
        """End the process."""
        self._end()
        self._stdout.close()
        self._stderr.close()

    def _end(self) -> int:
        with suppress(BrokenPipeError):
            self._stdin.close()
        with self._watch:
            code = self._process.wait()
        self._reader.join()
        return code

    def _failure(self) -> GitFailed:
        code = self._end()
        if self._watch.is_stalled:
            return self._runner.stalled(self._name, self._watch.limit)
        return command_failed([self._name], Output(b"", b"".join(self._errors), code))


def _next_line(pipe: IO[bytes], watch: Watch) -> bytes:
    with watch:
        return pipe.readline(_LINE_BYTES)


def _timed_out(word: str, seconds: float) -> GitFailed:
    what = f"git {word} did not answer within {seconds:.0f} s and was stopped"
    return GitFailed("git-timeout", what, why="it may read a pipe in the place of a file", fix=("git fsck",))


def _close(pipe: IO[bytes]) -> None:
    with suppress(OSError):
        pipe.close()


def _start_drain(pipe: IO[bytes], chunks: deque[bytes]) -> threading.Thread:
    """Read a process's standard error while something else is read: a full pipe would block the process.

    A thread reads it by a descriptor of its own, and keeps the last chunks of at most 4 kB.
    """
    thread = threading.Thread(target=_drain, args=(os.dup(pipe.fileno()), chunks), daemon=True)
    thread.start()
    return thread


def _drain(descriptor: int, chunks: deque[bytes]) -> None:
    """Read a pipe to its end, keep the last chunks, and close it."""
    with suppress(OSError):
        while chunk := os.read(descriptor, 4_096):
            chunks.append(chunk)
    os.close(descriptor)
