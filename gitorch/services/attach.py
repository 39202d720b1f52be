"""Open the session of a task's last attempt on a terminal, in the room of its agent, and collect what it did."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from gitorch.agents import interactive
from gitorch.agents.interactive import SessionRequest
from gitorch.errors import AnswerNeeded, Refused
from gitorch.executors.foreground import run_attended
from gitorch.flow.attempt.opened_attempt import room_spec
from gitorch.flow.attempt.records import attempt_folder
from gitorch.git.worktrees import linked_worktrees
from gitorch.model.naming import EXECUTION_VARIABLE, Oid, branch_ref, rescue_ref
from gitorch.model.task import ALIVE, Attempt, Commits, State, Task, base_of, change_spec
from gitorch.rooms.protocol import Command, Rejected, Room, RoomError
from gitorch.rooms.sandbox import key_proxy
from gitorch.services import people_only
from gitorch.services.agents import run_context
from gitorch.services.branches.branch_tips import REVIEWABLE, branch_state
from gitorch.services.changes import change_tasks
from gitorch.services.configured_checks import require_trust
from gitorch.services.run_lock import run_lock
from gitorch.services.workspace import Workspace
from gitorch.storage import locks

_KEY = "ANTHROPIC_API_KEY"
_TERMINAL = ("TERM", "COLORTERM", "TERM_PROGRAM", "COLUMNS", "LINES")
_FOR_NOBODY = ("NO_COLOR", "CI")
"""Variables of unattended programs that a person at a terminal does not want."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is ready to be opened: `command` in the room of the task's last attempt.

    `rescued` is the commit that holds what was not committed, `is_shell` tells that the agent keeps no session.
    """

    task: Task
    room: Room
    command: Command
    is_shell: bool
    rescued: Oid | None = None
    before: Oid | None = None


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What a session left: the task as it is now, how many commits it added, and why some work did not come home."""

    task: Task
    exit_code: int
    commits: int = 0
    problem: str = ""


@contextmanager
def opened(workspace: Workspace, task: Task, *, has_terminal: bool) -> Iterator[Session]:
    """Yield the session of a task's last attempt, with its uncommitted files in a rescue point.

    No run can start the task meanwhile. Raises `Refused` for a task that runs or has no session to open, and
    `AnswerNeeded` without a terminal.
    """
    people_only.require_person("open a session")
    require_trust(workspace)
    attempt = _require_attempt(task)
    if not has_terminal:
        raise AnswerNeeded("no-terminal", "attach needs a terminal", fix=(f"orchestrate log {task.id}",))
    with ExitStack() as stack:
        if task.state in ALIVE:
            stack.enter_context(run_lock(workspace))
        stack.enter_context(_only_once(workspace, task))
        yield _session(workspace, branch_state(workspace, task).task, attempt)


def run(workspace: Workspace, session: Session) -> Attached:
    """Run the session on this terminal until it ends, and bring its commits onto the task's branch."""
    command = session.command
    code = run_attended(command.argv, cwd=command.cwd, env=command.env)
    task = session.task
    result = session.room.collect(f"Uncommitted files of a session on {task.id}\n\nTask: {task.id}\n")
    problem = result.reason if isinstance(result, Rejected) else ""
    return _recorded(workspace, session, code, problem)


def _require_attempt(task: Task) -> Attempt:
    if task.state is State.RUNNING:
        fix = (f"orchestrate log -f {task.id}", f"orchestrate kill {task.id}")
        raise Refused("running", f"{task.id} is running", why="its session is its agent's until it ends", fix=fix)
    if task.attempt is None or task.commits is None:
        raise Refused("no-session", f"{task.id} has no attempt yet", fix=("orchestrate run",))
    if not task.worktree or not Path(task.worktree).is_dir():
        raise Refused(
            "no-worktree", f"{task.id} has no worktree", why=f"it is {task.state}", fix=(f"git switch {task.branch}",)
        )
    return task.attempt


def _session(workspace: Workspace, task: Task, attempt: Attempt) -> Session:
    context = run_context(workspace)
    settings = workspace.config.agents.get(attempt.agent)
    if settings is None:
        raise Refused("no-agent", f"the agent {attempt.agent} of {task.id} is not configured any more")
    request = SessionRequest(task=task.id, session=attempt.session, worktree=Path(task.worktree))
    launch = interactive.command(settings, request)
    if launch is None:
        raise Refused(
            "no-session",
            f"{attempt.agent} has no session of {task.id} that a person could open",
            why=f"an agent of the kind {settings.kind} keeps none",
            fix=(f'orchestrate resume {task.id} -m "..."', f'cd "$(orchestrate cd {task.id})"'),
        )
    try:
        room = context.rooms.reopen(room_spec(context, change_spec(task, agent=attempt.agent)))
        if not room.keeps_sessions and not interactive.is_shell(launch):
            raise _elsewhere(task)
        room = room.at_home()
        rescued = _rescue(workspace, task)
        room.follow_branch()
        command = room.agent_command(launch.argv, launch.env)
        if room.agent_state != workspace.folder:
            interactive.welcome(settings, room.agent_state, request.worktree, _key_inside(workspace, command))
    except RoomError as error:
        raise Refused("no-room", f"the room of {task.id} cannot be opened", why=error.reason) from error
    env = _attended(command.env, workspace.environment)
    env[EXECUTION_VARIABLE] = str(attempt_folder(workspace.folder, task) / "attach")
    return Session(
        task=task,
        room=room,
        command=msgspec.structs.replace(command, env=env),
        is_shell=interactive.is_shell(launch),
        rescued=rescued,
        before=workspace.repository.read_ref(branch_ref(task.branch)),
    )


def _key_inside(workspace: Workspace, command: Command) -> str:
    if workspace.config.sandbox.keys_outside:
        return key_proxy.placeholder(_KEY)
    return command.env.get(_KEY, "")


def _elsewhere(task: Task) -> Refused:
    return Refused(
        "session-elsewhere",
        f"the session of {task.id} is on the worker that ran its agent",
        why="sessions are not carried from machine to machine",
        fix=(f'orchestrate resume {task.id} -m "..."', f'cd "$(orchestrate cd {task.id})"'),
    )


def _rescue(workspace: Workspace, task: Task) -> Oid | None:
    worktree = linked_worktrees.find(workspace.repository, Path(task.worktree))
    if worktree is None:
        return None
    message = f"uncommitted files of {task.id}"
    return linked_worktrees.rescue(workspace.repository, worktree, rescue_ref(task.id), message, complete=True)


def _attended(env: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """Return a room's environment for a person's terminal instead of nobody's."""
    attended = {name: value for name, value in env.items() if name not in _FOR_NOBODY}
    return attended | {name: users[name] for name in _TERMINAL if name in users}


@contextmanager
def _only_once(workspace: Workspace, task: Task) -> Iterator[None]:
    folder = attempt_folder(workspace.folder, task)
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(folder / "attach.lock", flags, 0o600), "w") as file:
        if not locks.try_lock(file):
            raise Refused("attached", f"the session of {task.id} is open in another terminal")
        yield


def _recorded(workspace: Workspace, session: Session, code: int, problem: str) -> Attached:
    """Return what a session added; for a task that nobody reviews yet, record the tip for its next attempt."""
    task, repository = session.task, workspace.repository
    tip = repository.read_ref(branch_ref(task.branch))
    if tip is None or tip == session.before:
        return Attached(task=workspace.tasks[task.id], exit_code=code, problem=problem)
    count = int(repository.git("rev-list", "--count", f"{session.before or task.base}..{tip}").text)
    current = workspace.tasks[task.id]
    if current.state not in REVIEWABLE:
        recorded = msgspec.structs.replace(current, commits=Commits(base_of(current), tip))
        current = change_tasks(workspace, "attach", [(current, recorded)], f"attach {task.id}")[0]
    return Attached(task=current, exit_code=code, commits=count, problem=problem)
