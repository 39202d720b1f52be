"""Look at everything that a run needs before an agent is paid."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitorch import services
from gitorch.agents.prices import prices_of
from gitorch.config import PERSONAL
from gitorch.errors import GitorchError, LimitReached, NotFound, SetupNeeded
from gitorch.flow.scheduling import base_choice
from gitorch.flow.scheduling.run_limits import RunLimits
from gitorch.git.dates import require_readable_dates
from gitorch.model.naming import Oid, TaskId
from gitorch.model.preflight import Level, Preflight, PreflightLine
from gitorch.model.task import CheckResult, State, Task
from gitorch.model.visible import first_names, readable_list
from gitorch.rooms.errands import archive_to_send
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError
from gitorch.rooms.trees import TreeChecker
from gitorch.services import people_only
from gitorch.services.agent_versions import new_version_note
from gitorch.services.agents import ReadyAgents, agents_needed, run_context
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.configured_checks import checks_at, require_trust
from gitorch.services.past.run_forecast import forecast_run
from gitorch.services.protection import description, of_workspace
from gitorch.services.ref_names import require_free_names
from gitorch.services.sandbox import require_sandbox
from gitorch.services.workspace import Workspace

_PREPARED = "prepare"
_NOTHING = {_PREPARED: ":"}
"""The check of a repository without checks: its worktree is prepared all the same."""

_UNPRICED = {
    "codex": "the budget does not count {names}, whose price is unknown",
    "command": "the budget does not count {names}, unless its result file says what it spent",
}
"""What is said of the kinds of agents that do not report what they cost, if no prices are known for them."""

_MAX_BASES = 3
_MAX_REASON = 200
_NEEDED_FILES = (".env", ".env.*", "*.local", "*.local.*", "secrets.*")
_NEEDED_FOLDERS = ("node_modules", ".venv", "venv", "vendor")
"""Ignored files and folders that a project often does not work without; commands of `prepare.run` make folders."""

Report = Callable[[str], None]


class _Examination:
    """The lines so far, and the first error, which is not among them."""

    def __init__(self) -> None:
        self.lines: list[PreflightLine] = []
        self.error: GitorchError | None = None

    def add(self, level: Level, text: str, *fix: str) -> None:
        self.lines.append(PreflightLine(level, text, fix))

    def fail(self, error: GitorchError) -> None:
        if self.error is None:  # it is shown as the error of the command
            self.error = error
            return
        self.add(Level.ERROR, f"{error.what}{': ' + error.why if error.why else ''}", *error.fix)

    def require(self, step: Callable[..., Any], *arguments: object) -> Any:
        """Return what a step returns; None if it fails, with its error as a line."""
        try:
            return step(*arguments)
        except GitorchError as error:
            self.fail(error)
            return None


def examine(workspace: Workspace, limits: RunLimits, agents: ReadyAgents, report: Report = lambda _: None) -> Preflight:
    """Look at git, disk, trust, sandbox, agents and the base; call `report` before what takes long."""
    people_only.require_person("run the queue")
    try:
        require_trust(workspace)
    except GitorchError as error:  # everything else may start programs that these commands name, agents first of all
        return Preflight(lines=(), tasks=0, error=error)
    examination = _Examination()
    examination.require(workspace.repository.require_git)
    examination.require(require_readable_dates, workspace.repository)
    bases = examination.require(_bases, workspace) or {}
    examination.require(require_free_names, workspace)
    _examine_disk(workspace, limits, examination, [*bases.values()])
    examination.require(require_sandbox, workspace)
    if text := description(of_workspace(workspace)):
        examination.add(Level.OK, text)
    _examine_agents(workspace, agents, examination, limits)
    if services.remote.is_on(workspace):
        examination.require(_require_copies_for_workers, workspace)
        examination.require(_examine_workers, workspace, agents, examination)
    if workspace.config.run.try_base and examination.error is None:
        _examine_preparation(workspace, examination)
        for commit, name in [*bases.items()][:_MAX_BASES]:
            if examination.error is None:
                _examine_base(workspace, commit, name, examination, report)
    tasks = sum(task.is_pending for task in workspace.tasks.values())
    forecast = forecast_run(workspace, agents, limits.max_agents) if examination.error is None else None
    return Preflight(lines=tuple(examination.lines), tasks=tasks, forecast=forecast, error=examination.error)


class TaskStart(msgspec.Struct, frozen=True):
    """What a task starts on: a commit, and the name by which it was found."""

    commit: Oid
    name: str


def task_starts(workspace: Workspace) -> dict[TaskId, TaskStart]:
    """Return what each queued task without dependencies starts on; a task whose base does not exist is left out."""
    starts = {}
    queued = [task for task in workspace.tasks.values() if task.state is State.QUEUED]
    for task in queued:
        if not any(name in workspace.tasks for name in task.spec.after):
            try:
                commit = base_choice.start_of(workspace.repository, workspace.config, task.spec)
            except NotFound:
                if not any(base_choice.has_own(other.spec) for other in queued):
                    raise
                continue  # only this task cannot start, and says so
            starts[task.id] = TaskStart(commit, _base_name(workspace, task))
    return starts


def _bases(workspace: Workspace) -> dict[Oid, str]:
    """Return the commits on which queued tasks without dependencies start, with their names."""
    bases: dict[Oid, str] = {}
    for start in task_starts(workspace).values():
        bases.setdefault(start.commit, start.name)
    return bases


def _base_name(workspace: Workspace, task: Task) -> str:
    ref, _ = workspace.repository.head()
    current = (ref or "HEAD").removeprefix("refs/heads/")
    return task.spec.base_ref or base_choice.base_name(workspace.config, task.spec.base_branch or current)


def _examine_disk(workspace: Workspace, limits: RunLimits, examination: _Examination, names: list[str]) -> None:
    free = shutil.disk_usage(workspace.repository.common_dir).free
    if free < limits.min_free_disk:
        needed = f"{limits.min_free_disk / 1e9:.1f} GB"
        if any(task.state is State.RUNNING for task in workspace.tasks.values()):
            text = f"less than {needed} of disk space is free: running agents continue, and nothing else starts"
            examination.add(Level.WARNING, text, "free space on the disk")
            return
        examination.fail(
            LimitReached(
                "disk",
                f"less than {needed} of disk space is free",
                why=f"{free / 1e9:.1f} GB is free",
                fix=("free space on the disk", 'orchestrate config set run.min_free_disk "..."'),
            )
        )
        return
    version = ".".join(map(str, workspace.repository.version))
    on = f", tasks start on {readable_list(names)}" if names else ""
    examination.add(Level.OK, f"git {version}, {free / 1e9:.0f} GB of disk free{on}")


def _examine_agents(workspace: Workspace, agents: ReadyAgents, examination: _Examination, limits: RunLimits) -> None:
    ready: dict[str, int] = {}
    unpriced: dict[str, dict[str, None]] = {}
    for name, tasks in agents_needed(workspace).items():
        ready_agent = examination.require(agents.require, name)
        if ready_agent is not None:
            version = agents.version(ready_agent)
            settings = workspace.config.agents[ready_agent]
            remark, fix = new_version_note(workspace, settings.kind, version)
            if remark:
                examination.add(Level.NOTE, f"{ready_agent} {version} is {remark}", *filter(None, [fix]))
            if settings.kind in _UNPRICED and prices_of(settings) is None:
                unpriced.setdefault(settings.kind, {})[ready_agent] = None
            # tasks may name an agent that others have got by "auto"
            named = f"{ready_agent} {version}".strip()
            ready[named] = ready.get(named, 0) + len(tasks)
    if ready:
        counts = (f"{name} for {count} task{'s' if count > 1 else ''}" for name, count in ready.items())
        examination.add(Level.OK, f"ready: {', '.join(counts)}")
    for kind, names in unpriced.items() if limits.budget and not limits.token_budget else ():
        fix = f"set agents.{next(iter(names))}.prices, or run with --token-budget" if kind == "codex" else ""
        examination.add(Level.WARNING, _UNPRICED[kind].format(names=" and ".join(names)), *filter(None, [fix]))


def _require_copies_for_workers(workspace: Workspace) -> None:
    """Refuse files that workers would not get."""
    config = workspace.config
    if not config.prepare.copy:
        return
    if not config.remote.copy_files:
        raise SetupNeeded(
            "remote-copy",
            "prepare.copy does not reach workers",
            why="these files are often secrets, which gitorch sends to no other machine by itself",
            fix=(
                "orchestrate config set remote.copy_files true",
                "put the files on each worker, and let prepare.run copy them",
            ),
        )
    try:
        archive_to_send(workspace.repository, config)
    except RoomError as failure:
        fix = ("put large files on each worker, and let prepare.run copy them", "orchestrate config edit")
        raise SetupNeeded("remote-copy-files", failure.reason, fix=fix) from failure


def _examine_workers(workspace: Workspace, agents: ReadyAgents, examination: _Examination) -> None:
    """Find tasks that no worker takes. Raises `SetupNeeded` if the base would wait for one in vain."""
    workers = services.remote.remote_executor(workspace)
    machines = workers.capacity()
    for reason in services.remote.other_versions(workers.machines()):
        examination.add(Level.WARNING, reason, "install the same version on both")
    settings, join = workspace.config.remote, "orchestrate worker --join ssh://USER@HOST"
    checks_wait = (
        "no worker takes anything now" if not machines else services.remote.lacks_label(settings.checks_label, machines)
    )
    if settings.checks_on == "workers" and checks_wait:
        raise SetupNeeded(
            "no-worker", "checks have no worker", why=checks_wait, fix=(join, "orchestrate doctor --remote")
        )
    if not machines:
        text = "no worker takes agents now: nothing starts before one does"
        examination.add(Level.WARNING, text, join, "orchestrate doctor --remote")
        return
    slots, hosts = sum(machine.slots or 0 for machine in machines), {machine.host for machine in machines}
    examination.add(Level.OK, f"workers take {slots} agents at once, on {readable_list(sorted(hosts))}")
    for name, tasks in agents_needed(workspace).items():
        if reason := services.remote.unplaced(workspace, agents.get(name, name), machines):
            examination.add(Level.WARNING, f"{first_names(tasks)} will wait: {reason}")


def _examine_preparation(workspace: Workspace, examination: _Examination) -> None:
    """Find files that worktrees will lack."""
    try:
        copied = files_to_copy(workspace.repository, workspace.config)
    except RoomError as failure:
        error = SetupNeeded("prepare-copy", failure.reason, fix=("create the file", "orchestrate config edit"))
        examination.fail(error)
        return
    files, environments = missing_files(workspace, copied)
    if files:
        fix = f"prepare.copy = {[*workspace.config.prepare.copy, *files]!r}"
        examination.add(Level.WARNING, f"worktrees will lack {readable_list(files)}, which git ignores", fix)
    for text in environments:
        examination.add(Level.WARNING, text, PROPOSE_PREPARATION)


PROPOSE_PREPARATION = "orchestrate init --print  (it proposes a prepare.run)"


def missing_files(workspace: Workspace, copied: Sequence[tuple[str, Path]]) -> tuple[list[str], list[str]]:
    """Return the ignored files that worktrees will lack besides what is `copied`, and what is wrong with environments.

    A virtual environment holds the path of its checkout: the programs of a copy, and what is installed editable in it,
    are those of the checkout, so that an agent would test and change what it should not.
    """
    tops = {Path(name).parts[0] for name, _ in copied}
    missing = [name for name in _needed_files(workspace) if name not in tops]
    top = workspace.repository.checkout or Path()
    lacking = [name for name in missing if _is_environment(top / name)]
    texts = [f"worktrees will lack {name}: a virtual environment works only in one checkout" for name in lacking]
    copies = [name for name, path in copied if _is_environment(path)]
    texts += [f"prepare.copy: the programs of a copied {name} use the packages of your checkout" for name in copies]
    return [name for name in missing if name not in lacking], texts


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _needed_files(workspace: Workspace) -> Iterator[str]:
    """Yield the ignored files at the top of the user's checkout that work often needs."""
    repository = workspace.repository
    top = repository.checkout
    if top is None:
        return
    patterns = _NEEDED_FILES if workspace.config.prepare.run else (*_NEEDED_FILES, *_NEEDED_FOLDERS)
    entries = (entry for entry in top.iterdir() if entry.name != PERSONAL)
    names = [entry.name for entry in entries if any(entry.match(pattern) for pattern in patterns)]
    if names:
        paths = b"".join(os.fsencode(name) + b"\0" for name in sorted(names))
        # a work tree elsewhere (`core.worktree`) does not name its repository; a bare one's worktrees do
        git_dir = repository.common_dir if top == repository.work_tree else None
        answer = repository.git("check-ignore", "-z", "--stdin", input=paths, cwd=top, git_dir=git_dir, ok=(0, 1))
        yield from answer.fields()


def _examine_base(workspace: Workspace, commit: Oid, name: str, examination: _Examination, report: Report) -> None:
    """Prepare a worktree of a base, and run its checks there; verdicts of the same tree count."""
    checks = examination.require(checks_at, workspace.repository, workspace.loaded, commit)
    if checks is None:
        return
    prepare = workspace.config.prepare
    if not checks and not (prepare.copy or prepare.run):
        examination.add(Level.WARNING, "no checks are configured: nothing will judge the work", "orchestrate init")
        return
    label = f"{name} {commit[:8]}"
    with (
        watched_commands(workspace) as watch,
        TreeChecker(run_context(workspace, watch.start), checks or _NOTHING) as checker,
    ):
        results = checker.check(commit, on_check=lambda check: report(f"{check} on {label}"))
    if unprepared := next((result for result in results if result.name == _PREPARED and not result.passed), None):
        examination.fail(_unprepared(label, unprepared))
    elif failed := [result for result in results if not result.passed]:
        _add_failures(label, failed, examination)
    elif not checks:
        examination.add(Level.OK, f"prepare works on {label}; no checks are configured")
    else:
        times = ", ".join(f"{result.name} {result.seconds:.0f} s" for result in results)
        examination.add(Level.OK, f"checks pass on {label}: {times}")


def _unprepared(label: str, result: CheckResult) -> SetupNeeded:
    why = Path(result.output).read_text("utf-8", "replace").strip()[-_MAX_REASON:] if result.output else ""
    fix = ("fix the command, or the setting: orchestrate config edit",)
    return SetupNeeded("prepare", f"a worktree of {label} cannot be prepared", why=why, fix=fix)


def _ending(result: CheckResult) -> str:
    return result.failure or ("did not finish" if result.exit_code is None else f"exit code {result.exit_code}")


def _add_failures(label: str, failed: list[CheckResult], examination: _Examination) -> None:
    codes = ", ".join(f"{result.name} ({_ending(result)})" for result in failed)
    text = f"checks fail on {label}: {codes}; they will fail for every task that does not repair them"
    examination.add(Level.WARNING, text, *(f"{result.command}   output: {result.output}" for result in failed))
