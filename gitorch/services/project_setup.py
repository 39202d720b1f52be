"""Find out how to test this repository, by trying it in a scratch worktree of the base."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from gitorch.errors import GitorchError
from gitorch.flow import setup
from gitorch.flow.scheduling import base_choice
from gitorch.flow.setup import CheckTrial, ProjectFiles, Setup, Toolchain, Trial
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult
from gitorch.rooms.trees import TreeChecker
from gitorch.services.agents import run_context
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.workspace import Workspace

TIME_LIMIT = "10m"
"""For each command: a check that takes longer is for the user to set up."""

_TAIL_BYTES = 4_000
_PROBLEM = 300
"""Characters of a failed command's output that a comment shows: the sandbox says in as many what to allow."""

_NODE_ENDS = re.compile(r"Node\.js v\d+(\.\d+)*")
"""The last line of a program that node could not go on with: the error stands above its stack."""

_NODE_ERROR = re.compile(r"(Uncaught )?\w*Error\b.*: .+")

_LARGEST_FILE = 1 << 20
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Colours and other control sequences."""

Report = Callable[[str], None]
"""Is told what is tried next."""


def base_commit(workspace: Workspace) -> Oid | None:
    """Return the commit that tasks start on; None before the first commit."""
    try:
        return base_choice.start_commit(workspace.repository, workspace.config)
    except GitorchError:
        return None


def detect(workspace: Workspace) -> list[Toolchain]:
    """Return the toolchains that the base commit shows; those of the work tree before the first commit."""
    return setup.detect(_project_files(workspace, base_commit(workspace)))


def untried(toolchains: list[Toolchain]) -> list[Trial]:
    """Return what would be tried first, without trying it."""
    return [_not_run(toolchain, "not tried") for toolchain in toolchains]


def try_out(workspace: Workspace, commit: Oid, toolchain: Toolchain, report: Report) -> Trial:
    """Try the setups of a toolchain until one lets its tests pass; return the best.

    What still fails then is for the project to fix, not for its setup. Everything runs in a worktree of gitorch's own,
    in the same room as the checks of a merge.
    """
    program = toolchain.program
    if not program.startswith("./") and shutil.which(program, path=workspace.environment.get("PATH")) is None:
        return msgspec.structs.replace(_not_run(toolchain, f"{program} is not installed"), missing=program)
    best = None
    for candidate in toolchain.setups:
        trial = Trial(toolchain=toolchain, setup=candidate, checks=_run(workspace, commit, candidate, report))
        if best is None or not best.works or _score(trial) > _score(best):
            best = trial
        if _score(trial)[0]:
            break
    return best or _not_run(toolchain, "nothing to try")


def _run(workspace: Workspace, commit: Oid, candidate: Setup, report: Report) -> tuple[CheckTrial, ...]:
    config = workspace.config
    prepare = msgspec.structs.replace(config.prepare, copy=candidate.copy, run=candidate.run)
    hosts = tuple(dict.fromkeys([*config.sandbox.hosts, *candidate.hosts]))
    changed = msgspec.structs.replace(
        config,
        prepare=prepare,
        checks=candidate.checks,
        sandbox=msgspec.structs.replace(config.sandbox, hosts=hosts),
        run=msgspec.structs.replace(config.run, task_timeout=TIME_LIMIT),
    )
    loaded = msgspec.structs.replace(workspace.loaded, config=changed)
    changed_workspace = msgspec.structs.replace(workspace, loaded=loaded)

    def on_check(name: str) -> None:
        report(candidate.checks.get(name) or "; ".join([*(f"copy {path}" for path in candidate.copy), *candidate.run]))

    with (
        watched_commands(workspace) as watch,
        TreeChecker(run_context(changed_workspace, watch.start), candidate.checks, recheck=True) as checker,
    ):
        results = {result.name: result for result in checker.check(commit, on_check=on_check)}
    unprepared = next((result for name, result in results.items() if name not in candidate.checks), None)
    if unprepared is not None:
        steps = _cut(f"{unprepared.command}: {_last_line(unprepared.output) or 'failed'}")
        return tuple(
            CheckTrial(name=name, command=command, passed=False, problem=f"not prepared: {steps}")
            for name, command in candidate.checks.items()
        )
    return tuple(_trial(name, command, results.get(name)) for name, command in candidate.checks.items())


def _trial(name: str, command: str, result: CheckResult | None) -> CheckTrial:
    if result is None:
        return CheckTrial(name=name, command=command, passed=False, problem="it did not run")
    return CheckTrial(
        name=name,
        command=command,
        passed=result.passed,
        exit_code=result.exit_code,
        seconds=result.seconds,
        problem="" if result.passed else _problem(result),
    )


def _problem(result: CheckResult) -> str:
    code = "did not end" if result.exit_code is None else f"failed with exit code {result.exit_code}"
    last = _last_line(result.output)
    return _cut(f"{code}: {last}") if last else code


def _cut(text: str) -> str:
    return text if len(text) <= _PROBLEM else f"{text[: _PROBLEM - 3]}..."


def _last_line(location: str | None) -> str:
    """Return the line of an output that says what went wrong, mostly the last, without what a terminal understands."""
    text = _TERMINAL.sub("", _tail(location))
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    if lines and _NODE_ENDS.fullmatch(lines[-1]):
        lines += [line for line in lines if _NODE_ERROR.fullmatch(line)][-1:]
    return "".join(character if character.isprintable() else " " for character in lines[-1]) if lines else ""


def _tail(location: str | None) -> str:
    if not location:
        return ""
    try:
        with Path(location).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _score(trial: Trial) -> tuple[bool, int]:
    """Return whether the tests pass, or anything where there are no tests, and how many checks pass."""
    passed = {check.name for check in trial.checks if check.passed}
    needed = {"test"} & {check.name for check in trial.checks}
    return bool(passed) and needed <= passed, len(passed)


def _not_run(toolchain: Toolchain, problem: str) -> Trial:
    first = toolchain.setups[0]
    checks = (
        CheckTrial(name=name, command=command, passed=False, problem=problem) for name, command in first.checks.items()
    )
    return Trial(toolchain=toolchain, setup=first, checks=tuple(checks))


def _project_files(workspace: Workspace, commit: Oid | None) -> ProjectFiles:
    repository = workspace.repository
    top = repository.checkout
    if commit is not None:
        paths = repository.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).fields()
        ignored = _ignored(workspace)

        def read(path: str) -> str:
            return (repository.file(commit, path) or b"")[:_LARGEST_FILE].decode("utf-8", "replace")

        return ProjectFiles(frozenset(paths), read, ignored)
    if top is None:
        return ProjectFiles(frozenset(), lambda _: "")
    untracked = repository.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=top).fields()

    def read_file(path: str) -> str:
        file = top / path
        if file.is_symlink() or not file.is_file():
            return ""
        with file.open("rb") as content:
            return content.read(_LARGEST_FILE).decode("utf-8", "replace")

    return ProjectFiles(frozenset(untracked), read_file, _ignored(workspace))


def _ignored(workspace: Workspace) -> frozenset[str]:
    top = workspace.repository.checkout
    if top is None:
        return frozenset()
    options = ("--others", "--ignored", "--exclude-standard", "--directory")
    listing = workspace.repository.git("ls-files", "-z", *options, cwd=top).fields()
    return frozenset(path.rstrip("/") for path in listing)
