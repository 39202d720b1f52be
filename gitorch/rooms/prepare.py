"""`[prepare]`: copy ignored files into a worktree, and run the commands that make it ready."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gitorch.config import Config, size
from gitorch.executors.protocol import ExecutionId, Executor, NotStarted, Spec, Stream, tail_text
from gitorch.executors.starting import wait_for_end
from gitorch.git import config_text
from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.outcome import Exit
from gitorch.rooms.context import RunContext
from gitorch.rooms.protocol import RoomError, Site
from gitorch.rooms.steps import command_line, numbered, shell

PREPARE_SECONDS = 1800.0
_STREAMS: tuple[Stream, ...] = ("stderr", "stdout")
_GIT = """\
#!/bin/sh
folder={folder}
PATH=${{PATH#"$folder":}}
if [ "$1" != config ]; then exec git "$@"; fi
shift
for word; do
    case $word in --global | --system | -f | --file | --file=* | --blob | --blob=*) exec git config "$@" ;; esac
done
for word; do
    shift
    case $word in --local | --worktree) ;; *) set -- "$@" "$word" ;; esac
done
GIT_CONFIG=$folder/config exec git config "$@"
"""
_SHOWN = 400
"""Characters of a failed step's output that a message shows."""


def prepare(context: RunContext, site: Site, prefix: str) -> None:
    """Copy the configured files and run the configured commands, in order; raise `RoomError` when a step fails.

    `prefix` starts the keys of the executions.
    """
    copies = files_to_copy(context.repository, context.config, context.copies)
    steps = [_copy_command(source, site.directory / name) for name, source in copies]
    steps += [shell(command) for command in context.config.prepare.run]
    if not steps:
        return
    with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        _write_git(context.repository, Path(folder))
        _run_steps(context, site, prefix, steps, folder)


def _run_steps(context: RunContext, site: Site, prefix: str, steps: Sequence[tuple[str, ...]], programs: str) -> None:
    """Run the steps; `programs` is a folder in front of their PATH, which a sandbox does not see."""
    executor, without_hooks = context.executor, _without_hooks(context.repository)
    for number, argv in enumerate(steps, start=1):
        command = site.check_command(argv)
        path = {"PATH": f"{programs}:{command.env['PATH']}"} if "PATH" in command.env else {}
        # an interrupted preparation starts over: each of its steps is a new execution
        key = _unused_key(executor, f"{prefix}/prepare-{number}")
        spec = Spec(
            key=key,
            argv=command.argv,
            cwd=command.cwd,
            env={**without_hooks, **command.env, **path},
            timeout=PREPARE_SECONDS,
            max_output=size(context.config.run.max_output),
            secrets=secret_values(context.environment, command.env),
            resources=context.resource_limits,
        )
        execution = executor.submit(spec)
        status = wait_for_end(executor, spec)
        if status.exit_code != 0:
            raise RoomError(_failure(executor, argv, status, execution))


def _without_hooks(repository: Repository) -> dict[str, str]:
    """Return the variables that keep install steps of common tools from setting hooks in the user's repository.

    Where the user has set a hooks path, husky changes nothing, and writes the files that it needs in this worktree.
    """
    is_set = ref_guard.user_hooks(repository) != repository.common_dir / "hooks"
    return {"SKIP_INSTALL_SIMPLE_GIT_HOOKS": "1", **({} if is_set else {"HUSKY": "0"})}


def _write_git(repository: Repository, folder: Path) -> None:
    """Write a `git` into a folder which keeps settings of the repository in a copy, thrown away afterwards.

    Install steps set `core.hooksPath`, aliases or filters in the repository that they run in: without a sandbox, in
    the user's. All other commands of git, and the user's global settings, are as ever.
    """
    listing = repository.git("config", "-z", "--list", "--show-scope").fields()
    settings = config_text.lines(config_text.without_command_line(listing))
    (folder / "config").write_bytes(os.fsencode("".join(settings)))
    program = folder / "git"
    program.write_text(_GIT.format(folder=shlex.quote(str(folder))), encoding="utf-8")
    program.chmod(0o700)


def files_to_copy(repository: Repository, config: Config, folder: Path | None = None) -> list[tuple[str, Path]]:
    """Return the files to copy, with their names relative to the work tree; raise `RoomError` when one is missing.

    They are in `folder`, if it is named, and otherwise in the checkout.
    """
    top = folder or repository.checkout
    if top is None:
        if config.prepare.copy:
            raise RoomError(
                "prepare.copy has nothing to copy from: the repository is bare and has no worktree of its HEAD"
            )
        return []
    files = []
    for pattern in config.prepare.copy:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise RoomError(f"prepare.copy: {pattern} is not inside the repository")
        matches = sorted(top.glob(pattern))
        if not matches:
            raise RoomError(f"prepare.copy: there is no {pattern} in {top}")
        files += [(str(path.relative_to(top)), path) for path in matches if path.name != ".git"]
    return files


def _copy_command(source: Path, target: Path) -> tuple[str, ...]:
    # copy-on-write where the file system can; always into the folder, like `cp -T`
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


def _unused_key(executor: Executor, key: str) -> str:
    """Return the first of `key`, `key-2`, `key-3`, ... that never started."""
    keys = numbered(key)
    return next(name for name in keys if isinstance(executor.poll(executor.id_of(name)), NotStarted))


def _failure(executor: Executor, argv: tuple[str, ...], status: Exit, execution: ExecutionId) -> str:
    outputs = (tail_text(executor, execution, stream).strip() for stream in _STREAMS)
    output = next(filter(None, outputs), "")[-_SHOWN:]
    step = command_line(argv) or "copying"
    if status.cause == "lost":
        return f"prepare failed: {step}: {status.message or output}"
    if status.cause == "limit":
        return f"prepare failed: {step} {status.message}, and was ended"
    code = f" with exit code {status.exit_code}" if status.exit_code is not None else ""
    return f"prepare failed{code}: {step}: {output}".rstrip(": ")
