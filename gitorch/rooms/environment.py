"""What attempts and checks are made with: the doors and values of a run, a worktree made ready, a tree judged."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config, seconds
from gitorch.executors.local import LocalExecutor, Spec
from gitorch.git.notes import Notebook
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
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
    executor: LocalExecutor
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
    """Return the part of the user's environment that an agent gets: a common list, and `names` (`AB_*`: a prefix)."""
    patterns = (*_ALLOWED, *names)
    kept = {name: value for name, value in environment.items() if any(_matches(name, one) for one in patterns)}
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


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) if "*" in pattern else name == pattern


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


def prepare(means: Means, worktree: Worktree, folder: Path, env: Mapping[str, str]) -> None:
    """Copy the configured files into a worktree and run the configured commands there; `Failed` ends it."""
    copied = sources(means.repository, means.config)
    steps = [_copy_command(source, worktree.path / name) for name, source in copied]
    steps += [_shell(command) for command in means.config.prepare.run]
    for number, argv in enumerate(steps, start=1):
        # a preparation that was cut short is done again from the start: its folder is a new one
        at = _unused(folder / f"prepare-{number}")
        means.executor.submit(
            Spec(folder=at, argv=argv, cwd=worktree.path, env=_without_credentials(env), timeout=PREPARE_SECONDS)
        )
        ended = means.executor.wait(at)
        if not isinstance(ended, Exit) or ended.exit_code != 0:
            raise Failed(_failure(argv, ended, at))


def judge(
    means: Means,
    checks: Mapping[str, str],
    tree: Oid,
    cwd: Path,
    folder: Path,
    env: Mapping[str, str],
    execute: Callable[[Spec], Exit],
) -> tuple[CheckResult, ...]:
    """Run every check in a folder that holds a tree, one after the other, and return what each said.

    `folder` is the beginning of the name of each check's execution. A check that was cut short is run again.
    """
    results = []
    for name, command in checks.items():
        at = _not_lost(folder.with_name(f"{folder.name}-{slug(name)}"))
        ended = execute(
            Spec(
                folder=at,
                argv=_shell(command),
                cwd=cwd,
                env=_without_credentials(env),
                timeout=seconds(means.config.run.task_timeout),
            )
        )
        results.append(
            CheckResult(
                name=name,
                command=command,
                tree=tree,
                exit_code=ended.exit_code if ended.cause == "exited" else None,
                seconds=ended.seconds,
                output=str(at / "stdout"),
            )
        )
    return tuple(results)


def _shell(command: str) -> tuple[str, ...]:
    # both outputs in one file, in the order in which they were written
    return ("/bin/sh", "-c", f"exec 2>&1\n{command}")


def _without_credentials(env: Mapping[str, str]) -> dict[str, str]:
    """Leave out the agent's keys: checks and preparations run the work of agents, and need none."""
    return {name: value for name, value in env.items() if not _CREDENTIAL.search(name)}


def _unused(folder: Path) -> Path:
    number = 1
    at = folder
    while (at / "run.json").exists() or (at / "exit.json").exists():
        number += 1
        at = folder.with_name(f"{folder.name}-{number}")
    return at


def _not_lost(folder: Path) -> Path:
    """Return a folder for a check: another one when it was cut short in the first."""
    number = 1
    at = folder
    while (at / "exit.json").exists() and msgspec.json.decode((at / "exit.json").read_bytes())["cause"] == "lost":
        number += 1
        at = folder.with_name(f"{folder.name}-{number}")
    return at


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


def _failure(argv: Sequence[str], ended: object, folder: Path) -> str:
    said = ""
    for name in ("stdout", "stderr"):
        if (folder / name).exists():
            said = (folder / name).read_text("utf-8", "replace").strip() or said
    what = argv[-1].partition("\n")[2] or "copying"
    code = f" with exit code {ended.exit_code}" if isinstance(ended, Exit) and ended.exit_code is not None else ""
    return f"prepare failed{code}: {what}: {said[-400:]}".rstrip(": ")
