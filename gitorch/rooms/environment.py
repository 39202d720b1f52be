"""What attempts and checks are made with: the doors and values of a run, a worktree made ready, a tree judged."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import socket
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config, seconds
from gitorch.executors.base import ExecutionId, Executor, NotStarted, Spec, Status, Stream, tail_text
from gitorch.git.notes import Notebook
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.globs import matches_name
from gitorch.model.naming import Oid, slug
from gitorch.model.outcome import Exit
from gitorch.model.roles import Role
from gitorch.model.task import CheckResult
from gitorch.storage import locks

PREPARE_SECONDS = 1800.0
_PORTS = range(20_000, 32_000)  # below what Linux hands out to outgoing connections

# what programs need to run at all; everything else of the user's environment stays away from agents
_ALLOWED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "COLUMNS"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("XDG_*", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *(
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "NVM_DIR",
        "PYENV_ROOT",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "GOPATH",
        "GOROOT",
        "JAVA_HOME",
    ),
)
_CREDENTIAL = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(?:_FILE)?$|_AUTH$", re.IGNORECASE)


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What attempts are made with: values and doors, the same for all attempts of a run."""

    repository: Repository
    config: Config
    executor: Executor
    agents: Mapping[str, Agent]
    roles: Mapping[str, Role]
    folder: Path
    environment: Mapping[str, str]
    notebook: Notebook


class Failed(Exception):
    """A worktree could not be prepared: why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def allowed(environment: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return the part of the user's environment that an agent gets: a common list, and `names` (patterns: `AB_*`)."""
    patterns = (*_ALLOWED, *names)
    kept = {name: value for name, value in environment.items() if any(matches_name(name, one) for one in patterns)}
    return kept | {"TERM": "dumb", "NO_COLOR": "1", "CI": "1"}


def agent_environment(means: Means, name: str) -> dict[str, str]:
    """Return an agent's part of the user's environment: the common list, its kind's names, the configured ones."""
    settings = means.config.agents[name]
    keys = (settings.key["env"],) if "env" in settings.key else ()
    names = (*means.agents[settings.kind].pass_env, *settings.pass_env, *keys)
    return allowed(means.environment, names) | settings.env


def with_program(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which `orchestrate` is this very program, whether or not it was on the user's PATH."""
    script = folder / "orchestrate"
    # -E and -P: neither the worktree nor what the agent puts into PYTHONPATH stands in for gitorch
    content = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -E -P -m gitorch "$@"\n'
    if not script.exists() or script.read_text("utf-8") != content:
        _put(script, content, mode=0o755)
    path = os.pathsep.join(filter(None, (str(folder), env.get("PATH", ""))))
    # a login shell, such as codex's, makes a PATH of its own; a variable survives that
    return {**env, "PATH": path, "GITORCH_PROGRAM": str(script)}


def check_environment(means: Means) -> dict[str, str]:
    """Return the part of the user's environment that checks of merged trees get: no keys, nothing of an agent's."""
    return _without_credentials(allowed(means.environment, ()))


def variables(config: Config, state: Path, task: str) -> dict[str, str]:
    """Return `prepare.env` for a task; `{port}` becomes a free port that stays the same for this task."""
    values = config.prepare.env
    if not any("{port}" in value for value in values.values()):
        return {name: value.replace("{task}", task) for name, value in values.items()}
    # attempts begin side by side: each sees what the others have taken
    with locks.turn(state / "ports.lock"):
        port = str(_port(state / "attempts" / task / "port"))
    return {name: value.replace("{port}", port).replace("{task}", task) for name, value in values.items()}


def _port(record: Path) -> int:
    if record.exists():
        return int(record.read_text("ascii"))
    taken = {int(path.read_text("ascii")) for path in record.parent.parent.glob("*/port")}
    start = zlib.crc32(os.fsencode(str(record.parent))) % len(_PORTS)
    candidates = (_PORTS[(start + step) % len(_PORTS)] for step in range(len(_PORTS)))
    port = next(port for port in candidates if port not in taken and _is_free(port))
    _put(record, str(port))
    return port


def _put(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Make a file that others may read or run at this moment: they find it whole, or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}-{os.urandom(4).hex()}")
    beside.write_text(content, "utf-8")
    beside.chmod(mode)
    beside.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def prepare(means: Means, worktree: Worktree, prefix: str, env: Mapping[str, str]) -> None:
    """Copy the configured files into a worktree and run the configured commands there; raise `Failed` on an error.

    `prefix` starts the keys of the executions.
    """
    copied = sources(means.repository, means.config)
    steps = [_copy_command(source, worktree.path / name) for name, source in copied]
    steps += [_shell(command) for command in means.config.prepare.run]
    for number, argv in enumerate(steps, start=1):
        # an interrupted preparation starts over: each of its steps is a new execution
        key = _unused_key(means.executor, f"{prefix}/prepare-{number}")
        execution = means.executor.submit(
            Spec(key=key, argv=argv, cwd=worktree.path, env=_without_credentials(env), timeout=PREPARE_SECONDS)
        )
        status = means.executor.wait(execution)
        if not isinstance(status, Exit) or status.exit_code != 0:
            raise Failed(_failure(means.executor, argv, status, execution))


class CheckRun(msgspec.Struct, frozen=True):
    """A check's result, and the execution that holds its output."""

    result: CheckResult
    execution: ExecutionId


def run_checks(
    means: Means,
    checks: Mapping[str, str],
    tree: Oid,
    cwd: Path,
    prefix: str,
    env: Mapping[str, str],
    execute: Callable[[Spec], Exit],
) -> tuple[CheckRun, ...]:
    """Run every check in a folder that holds a tree, one after the other.

    `prefix` starts the key of each check's execution. An interrupted check runs again.
    """
    runs = []
    for name, command in checks.items():
        key = _key_not_lost(means.executor, f"{prefix}-{slug(name)}")
        execution = means.executor.id_of(key)
        status = execute(
            Spec(
                key=key,
                argv=_shell(command),
                cwd=cwd,
                env=_without_credentials(env),
                timeout=seconds(means.config.run.task_timeout),
            )
        )
        result = CheckResult(
            name=name,
            command=command,
            tree=tree,
            exit_code=status.exit_code if status.cause == "exited" else None,
            seconds=status.seconds,
            output=means.executor.output_location(execution, "stdout"),
        )
        runs.append(CheckRun(result, execution))
    return tuple(runs)


def _shell(command: str) -> tuple[str, ...]:
    # both outputs in one file, in the order in which they were written
    return ("/bin/sh", "-c", f"exec 2>&1\n{command}")


def _without_credentials(env: Mapping[str, str]) -> dict[str, str]:
    """Leave out the agent's keys: checks and preparations run the work of agents, and need none."""
    return {name: value for name, value in env.items() if not _CREDENTIAL.search(name)}


def _unused_key(executor: Executor, key: str) -> str:
    """Return the first of `key`, `key-2`, `key-3`, ... that never started."""
    return next(name for name in _numbered(key) if isinstance(executor.poll(executor.id_of(name)), NotStarted))


def _key_not_lost(executor: Executor, key: str) -> str:
    """Return the first of `key`, `key-2`, `key-3`, ... whose execution was not cut short."""
    return next(name for name in _numbered(key) if not _is_lost(executor.poll(executor.id_of(name))))


def _numbered(key: str) -> Iterator[str]:
    yield key
    for number in itertools.count(2):
        yield f"{key}-{number}"


def _is_lost(status: Status) -> bool:
    return isinstance(status, Exit) and status.cause == "lost"


def sources(repository: Repository, config: Config) -> list[tuple[str, Path]]:
    """Return the files to copy, with their names relative to the work tree; raise `Failed` where there are none."""
    top = repository.work_tree
    if top is None:
        if config.prepare.copy:
            raise Failed("prepare.copy has nothing to copy from: the repository is bare")
        return []
    found = []
    for pattern in config.prepare.copy:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise Failed(f"prepare.copy: {pattern} is not inside the repository")
        matches = sorted(top.glob(pattern))
        if not matches:
            raise Failed(f"prepare.copy: there is no {pattern} in {top}")
        found += [(str(path.relative_to(top)), path) for path in matches if path.name != ".git"]
    return found


def _copy_command(source: Path, target: Path) -> tuple[str, ...]:
    # copy-on-write where the file system can; `-T`-like: into the folder, never beside it
    clone = ("-c",) if sys.platform == "darwin" else ("--reflink=auto",)
    return (
        "/bin/sh",
        "-c",
        'mkdir -p -- "$1" && shift && exec cp -R -p "$@"',
        "cp",
        str(target.parent),
        *clone,
        "--",
        str(source),
        str(target.parent),
    )


def _failure(executor: Executor, argv: Sequence[str], status: Exit | NotStarted, execution: ExecutionId) -> str:
    streams: tuple[Stream, ...] = ("stderr", "stdout")
    output = next(filter(None, (tail_text(executor, execution, stream).strip() for stream in streams)), "")
    step = argv[-1].partition("\n")[2] or "copying"
    code = f" with exit code {status.exit_code}" if isinstance(status, Exit) and status.exit_code is not None else ""
    return f"prepare failed{code}: {step}: {output[-400:]}".rstrip(": ")
