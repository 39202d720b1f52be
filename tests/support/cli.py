"""The command line as people and scripts meet it: each command in a process and a sealed environment of its own.

The process is a fork of one that has imported gitorch (`tests.support.forkserver`), or with `fresh_interpreter` a new
`python -m gitorch`.

Its agent `sh` does literally what it is told: the lines between `#!do` and `#!end` of a task's text are its script.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import psutil
import tomli_w

from gitorch.git.protected import fingerprint
from gitorch.git.repository import Repository
from gitorch.services.merging.pending_refresh import LOCK
from tests.support import fingerprints, forkserver
from tests.support.forkserver import ForkedProcess, ForkServer
from tests.support.git import git
from tests.support.schemas import check_output

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
"""How long a command may take before it counts as hanging: far more than on a busy machine."""

OBEDIENT = """\
agent = "sh"
[agents.sh]
kind = "command"
command = ["/bin/sh", "-c", "sed -n '/^#!do$/,/^#!end$/p' | exec /bin/sh -e"]
"""

_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "GITORCH_SANDBOX_MODE", forkserver.PYTHON)
_PASSED_PREFIXES = ("GIT_", "XDG_", "COVERAGE_")


class Answer(msgspec.Struct, frozen=True):
    """What one call of the command line came to."""

    words: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: str

    def __post_init__(self) -> None:
        check_output(self.words, self.stdout)

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def json(self) -> dict[str, Any]:
        """Return the one object that was printed."""
        (found,) = self.stream
        return found

    @property
    def stream(self) -> list[dict[str, Any]]:
        """Return the objects that were printed, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Cli:
    """`orchestrate` in one folder, by a person whose configuration is `config`."""

    fresh_interpreter = False
    """Whether each command starts an interpreter of its own: for tests of what depends on that."""

    imports_itself = False
    """Whether each command imports what it uses of gitorch, in a fork that has imported none of it."""

    loads_temporal = False
    """Whether commands load the SDK of Temporal: they then have it from the start."""

    def __init__(self, folder: Path, config: str = OBEDIENT, **environment: str) -> None:
        self.folder = folder
        self.environment = {**sealed(), **environment}
        self.configure(config)

    def configure(self, text: str) -> None:
        """Write the user's own configuration, which needs nobody's trust."""
        file = Path(self.environment["XDG_CONFIG_HOME"]) / "gitorch" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def __call__(
        self,
        *words: str,
        ok: int | Collection[int] = 0,
        input: bytes = b"",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        """Run one command to its end; fail the test when its exit code is not in `ok`, and for any traceback."""
        where, variables = cwd or self.folder, {**self.environment, **(env or {})}
        if self.fresh_interpreter:
            done = subprocess.run(
                [sys.executable, "-m", "gitorch", *words],
                cwd=where,
                env=variables,
                input=input,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        else:
            done = self._server.run(words, cwd=where, env=variables, input=input, timeout=seconds)
        settle(self.folder, where)
        answer = Answer(words, done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
        wanted = (ok,) if isinstance(ok, int) else ok
        said = f"orchestrate {' '.join(words)[:300]}: {answer.code}\n{answer.text[-4000:]}\n{answer.stderr[-4000:]}"
        assert answer.code in wanted, said
        assert "Traceback" not in answer.stderr, said
        return answer

    @property
    def _server(self) -> ForkServer:
        if self.imports_itself:
            return forkserver.bare_server()
        return forkserver.remote_server() if self.loads_temporal else forkserver.server()

    def json(self, *words: str, ok: int | Collection[int] = 0, **options: Any) -> dict[str, Any]:
        """Run one command with `--json`; return its answer, whose schema must be the command's (or an error's)."""
        answer = self(*words, "--json", ok=ok, **options)
        found = answer.json
        name = "error" if "exit" in found and "what" in found else words[0]
        assert found["schema"] == f"gitorch/{name}/1", found
        return found

    def error(self, *words: str, exit: int, **options: Any) -> dict[str, Any]:
        """Run a command that must fail in the same way twice: in words on stderr, and with `--json` as an object."""
        said = self(*words, ok=exit, **options)
        assert said.stdout == b"", said
        assert any(line.startswith("error: ") for line in said.stderr.splitlines()), said.stderr
        found = self.json(*words, ok=exit, **options)
        assert found["schema"] == "gitorch/error/1"
        assert found["exit"] == exit
        assert set(found) >= {"schema", "code", "what", "why", "fix", "exit"}
        return found

    def queue(self, *tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Queue tasks by way of a tasks file on standard input; return them."""
        content = "".join(f"[[task]]\n{tomli_w.dumps(task)}" for task in tasks).encode()
        found: list[dict[str, Any]] = self.json("submit", "-F", "-", input=content)["tasks"]
        return found

    def run(self, *words: str, ok: int | Collection[int] = 0, **options: Any) -> Answer:
        """Work through the queue."""
        return self("run", *words, ok=ok, **options)

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Return all tasks of `status --json`, by id."""
        return {task["id"]: task for task in self.json("status")["tasks"]}

    def states(self) -> dict[str, str]:
        """Return where each task stands."""
        return {name: task["state"] for name, task in self.tasks().items()}

    @contextlib.contextmanager
    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Started]:
        """Start a command in the background; at the end of the block it is over, if need be by force."""
        log = self.folder.parent / f"{'-'.join(words[:1])}-{os.urandom(4).hex()}"
        with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
            variables = {**self.environment, **(env or {})}
            with open(os.devnull, "rb") as nothing:
                process = self._server.start(
                    words,
                    cwd=self.folder,
                    env=variables,
                    stdin=nothing.fileno(),
                    stdout=out.fileno(),
                    stderr=err.fileno(),
                    start_new_session=True,
                )
        try:
            yield Started(process, log, words)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for left in left_behind(self.folder):
                with contextlib.suppress(psutil.NoSuchProcess):
                    left.kill()

    @cached_property
    def repository(self) -> Repository:
        return Repository.discover(self.folder)

    @contextlib.contextmanager
    def untouched(self) -> Iterator[None]:
        """Assert that nothing that is the user's has moved at the end of the block, byte for byte."""
        before = fingerprints.fingerprint(self.repository), bytes_of_checkout(self.repository)
        yield
        after = fingerprints.fingerprint(self.repository), bytes_of_checkout(self.repository)
        assert fingerprint.differences(before[0], after[0]) == ()
        assert before[1] == after[1]


def settle(*folders: Path) -> None:
    """Wait for the update of forecast and candidate that a command has started in one of these repositories."""
    for folder in folders:
        lock_file = _common_dir(folder) / "gitorch" / LOCK
        if lock_file.exists():
            with lock_file.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)


def _common_dir(folder: Path) -> Path:
    pointer = folder / ".git"
    if pointer.is_file():  # of a linked worktree, or next to a bare repository
        git_dir = (folder / pointer.read_text().removeprefix("gitdir:").strip()).resolve()
        return git_dir.parents[1] if (git_dir / "commondir").exists() else git_dir
    return pointer if pointer.exists() else folder


class Pipe:
    """A named pipe between a test and an agent's script (`echo word > PIPE`, `read word < PIPE`), always open."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._text = b""

    def __str__(self) -> str:
        return f"'{self.path}'"

    def line(self, seconds: float = SECONDS) -> str:
        """Wait for the next line that a script writes; raise TimeoutError after `seconds`."""
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._handle], [], [], seconds)
            if not ready:
                raise TimeoutError(f"nobody wrote to {self.path} within {seconds} s")
            self._text += os.read(self._handle, 65_536)
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def say(self, word: str = "go") -> None:
        """Write a line for a script that reads."""
        os.write(self._handle, f"{word}\n".encode())

    def __del__(self) -> None:
        os.close(self._handle)


class Started(msgspec.Struct, frozen=True):
    """A command that goes on in the background."""

    process: ForkedProcess
    log: Path
    words: tuple[str, ...]

    def goes_on_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, which must be before the command ends."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.log.with_suffix(".err").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self, seconds: float = SECONDS) -> Answer:
        """Wait for its end."""
        code = self.process.wait(seconds)
        out, err = (self.log.with_suffix(suffix).read_bytes() for suffix in (".out", ".err"))
        return Answer(self.words, code, out, err.decode("utf-8", "replace"))


def sealed() -> dict[str, str]:
    """Return the whole environment of a call: what the sealed test has set, and nothing else of this machine's."""
    kept = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    # most tests are about what happens after the preflight: they do not pay for the checks of their base
    return {**kept, "PYTHONPATH": str(ROOT), "GITORCH_RUN_TRY_BASE": "false"}


def does(title: str, *script: str, **more: Any) -> dict[str, Any]:
    """Return a task for `Cli.queue` whose agent does `script`."""
    return {"prompt": told(title, *script), **more}


def told(title: str, *script: str) -> str:
    """Return a task's text that makes the agent `sh` do `script`."""
    return "\n".join((title, "#!do", *script, "#!end", ""))


def saved(path: str, content: str, message: str = "") -> str:
    """Return the script that writes a line to a file and commits it."""
    return f"echo '{content}' > '{path}'; git add -A; git commit -qm '{message or 'Write ' + path}'"


def bytes_of_checkout(repository: Repository) -> dict[str, bytes]:
    """Return what a person would notice, read without gitorch's own fingerprint: git's files, refs and status."""
    shared, top = repository.common_dir, repository.work_tree
    found = {name: (shared / name).read_bytes() for name in ("HEAD", "index", "config") if (shared / name).exists()}
    found |= {f"hook {hook.name}": hook.read_bytes() for hook in (shared / "hooks").glob("*")}
    quiet = {"GIT_OPTIONAL_LOCKS": "0"}
    refs = git("for-each-ref", cwd=shared).splitlines()
    foreign = [line for line in refs if not line.partition("\t")[2].startswith(_OURS)]
    found["refs"] = "\n".join(foreign).encode()
    found["stash"] = git("reflog", "stash", cwd=shared, ok=(0, 1, 128)).encode("utf-8", "surrogateescape")
    if top is not None:
        status = git("status", "--porcelain=v2", "--branch", cwd=top, env=quiet)
        found["status"] = status.encode("utf-8", "surrogateescape")
        found |= {f"file {at}": at.read_bytes() for at in _files(top)}
    return found


_OURS = ("refs/heads/orch/", "refs/gitorch/", "refs/notes/gitorch")


def _files(top: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(top):
        if ".git" in names:
            names.remove(".git")
        yield from (path for name in files if (path := Path(folder, name)).is_file())


def left_behind(folder: Path) -> list[psutil.Process]:
    """Return the processes that belong to executions of the repository at `folder`."""
    return [process for process in psutil.process_iter() if _is_of(process, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get("GITORCH_EXECUTION", "").startswith(str(folder))
    except (psutil.Error, OSError):
        return False
