"""Single checks of a setup: versions of agents, identity, free space, files to copy, and the checks of the base."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from gitorch.errors import GitorchError
from gitorch.executors import control_groups
from gitorch.git.dates import require_readable_dates
from gitorch.git.repository import GITORCH_IDENTITY
from gitorch.model.task import CheckResult
from gitorch.model.visible import readable_list
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError
from gitorch.rooms.trees import TreeChecker
from gitorch.services import project_setup
from gitorch.services.agents import run_context
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.configured_checks import checks_at
from gitorch.services.doctor.disk import for_worktrees
from gitorch.services.preflight import PROPOSE_PREPARATION, missing_files
from gitorch.services.workspace import Workspace
from gitorch.storage import trust


class SetupFinding(msgspec.Struct, frozen=True):
    """The result of one setup check (None: only a note), and the command that fixes a problem.

    `repair` names what `doctor --fix` can do about it; see `gitorch.services.doctor.repairs`.
    """

    works: bool | None
    description: str
    fix: str = ""
    repair: str = ""


def identity(workspace: Workspace) -> SetupFinding:
    """Say in whose name merges are committed."""
    try:
        require_readable_dates(workspace.repository)
    except GitorchError as error:
        return SetupFinding(False, error.what, error.fix[0])
    if workspace.repository.identity() != GITORCH_IDENTITY:
        return SetupFinding(True, f"commits are made as {workspace.repository.committer().partition(' <')[0]}")
    fix = 'git config --global user.name "..." && git config --global user.email "..."'
    return SetupFinding(None, "git knows no name for you: merges are committed as gitorch", fix)


def disk(workspace: Workspace) -> SetupFinding:
    """Say whether a run would start anything with the space that is free."""
    space = for_worktrees(workspace)
    if space.free >= space.floor:
        return SetupFinding(True, f"{space.free / 1e9:.0f} GB free for worktrees")
    return SetupFinding(
        False,
        f"{space.free / 1e9:.1f} GB free for worktrees: nothing starts with less than {space.floor / 1e9:.1f} GB",
        "orchestrate cleanup; or set run.min_free_disk",
    )


def copied_files(workspace: Workspace) -> Iterator[SetupFinding]:
    """Say whether the files of `prepare.copy` are there, and which ignored files worktrees will lack."""
    try:
        files = files_to_copy(workspace.repository, workspace.config)
    except RoomError as error:
        yield SetupFinding(False, error.reason, "create it, or take it out: orchestrate config edit")
        return
    if files:
        yield SetupFinding(True, f"prepare.copy: {len(files)} files and folders")
    missing, environments = missing_files(workspace, files)
    if missing:
        text = f"worktrees will lack {readable_list(missing)}, which git ignores"
        value = json.dumps([*workspace.config.prepare.copy, *missing])
        yield SetupFinding(None, text, f"orchestrate config set prepare.copy '{value}'")
    for text in environments:
        yield SetupFinding(None, text, PROPOSE_PREPARATION)


def limits() -> SetupFinding:
    """Say what limits the memory and the processes of agents."""
    groups = control_groups.tried()
    if not groups.problem:
        return SetupFinding(True, f"limits: {groups.name} for memory and processes, a watchdog for the disk")
    text = f"limits: only a watchdog, which looks once a second; no control groups: {groups.problem}"
    return SetupFinding(None if groups.fix else True, text, groups.fix)


def base_checks(
    workspace: Workspace, *, run: bool, report: Callable[[str], None] = lambda _: None
) -> Iterator[SetupFinding]:
    """Say which checks fail on the commit that tasks start on: every task would start with them red.

    Uses the results of earlier commands; with `run`, checks what has no result, in a worktree of gitorch's own.
    """
    commit = project_setup.base_commit(workspace)
    if commit is None:
        return
    try:
        checks = checks_at(workspace.repository, workspace.loaded, commit)
    except GitorchError as error:
        if error.code != "untrusted":  # another finding says so
            yield SetupFinding(False, f"the base {commit[:12]} has no valid checks: {error.what}", "; ".join(error.fix))
        return
    if not checks:
        yield SetupFinding(None, "no checks configured", "orchestrate init")
        return
    is_trusted = trust.is_trusted(workspace.repository.common_dir, trust.commands(workspace.loaded.layers))
    with watched_commands(workspace) as watch, TreeChecker(run_context(workspace, watch.start), checks) as checker:
        results = checker.check(commit, on_check=report) if run and is_trusted else checker.known(commit)
    if results is None:
        yield SetupFinding(
            None, f"not known whether the checks pass on the base {commit[:12]}", "orchestrate doctor --checks"
        )
        return
    yield from (_base_finding(result, commit[:12], checks) for result in results)


def _base_finding(result: CheckResult, base: str, checks: Mapping[str, str]) -> SetupFinding:
    if result.passed:
        return SetupFinding(True, f"{result.name} passes on the base {base}")
    command = checks.get(result.name, result.command)
    fix = f"{command}   (see {result.output})" if result.output and Path(result.output).exists() else command
    return SetupFinding(False, f"{result.name} fails on the base {base}: every task starts with it red", fix)
