"""Where an attempt happens: its worktree, brought to where it starts, and the environment of its programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings
from gitorch.git import fence, worktrees
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model import naming
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.model.roles import Role, generalist
from gitorch.model.task import Phase, Task, base_of, current_attempt
from gitorch.rooms import environment
from gitorch.rooms.environment import Means


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one attempt happens: `key` starts the keys of its executions, `folder` holds its own files."""

    key: str
    folder: Path
    worktree: Worktree
    settings: AgentSettings
    agent: Agent
    env: Mapping[str, str]


def attempt_key(task: Task, number: int | None = None) -> str:
    """Return what the keys of an attempt's executions start with; without a number, of the last attempt."""
    return f"attempts/{task.id}/{number or task.attempts}"


def task_of_key(key: str) -> str:
    """Return the task that an execution belongs to; empty when it is not part of an attempt."""
    parts = key.split("/")
    return parts[1] if parts[0] == "attempts" and len(parts) > 2 else ""


def attempt_folder(state: Path, task: Task, number: int | None = None) -> Path:
    """Return the folder of an attempt's own files: its briefs, its request to stop, the refusals of its hooks."""
    return state / attempt_key(task, number)


def settle_in(means: Means, task: Task) -> Place:
    """Make the worktree, or find it again."""
    path = Path(task.worktree)
    folder = attempt_folder(means.folder, task)
    if current_attempt(task).phase is Phase.PREPARING:
        _end_preparations(means, attempt_key(task))
        worktree = _fresh_worktree(means, task, path)
    else:
        found = worktrees.find(means.repository, path)
        if found is None:
            raise environment.Failed(f"its worktree {path} is gone; its branch is kept")
        worktree = found
    folder.mkdir(parents=True, exist_ok=True)
    settings = _suited(
        means.config.agents[current_attempt(task).agent], means.roles.get(task.spec.role) or generalist()
    )
    agent = means.agents[settings.kind]
    env = _environment(means, task, worktree, folder)
    return Place(key=attempt_key(task), folder=folder, worktree=worktree, settings=settings, agent=agent, env=env)


def _suited(settings: AgentSettings, role: Role) -> AgentSettings:
    """Return an agent's settings with the model that a role asks for, where the user has chosen none."""
    if settings.kind != "claude" or settings.model or not role.model:
        return settings
    return msgspec.structs.replace(settings, model=role.model)


def _end_preparations(means: Means, key: str) -> None:
    """End the preparations that a killed orchestrator left running: they start over."""
    for execution in means.executor.adopt(key):
        means.executor.cancel(execution, "prepared again", now=True)
        means.executor.wait(execution)


def _fresh_worktree(means: Means, task: Task, path: Path) -> Worktree:
    """Bring the branch and its worktree to where the attempt starts; keep what an earlier attempt made."""
    repository, ref = means.repository, branch_ref(task.branch)
    at = repository.read_ref(ref)
    start = task.tip or base_of(task)
    if at is not None and task.tip is not None and repository.is_ancestor(task.tip, at):
        start = at  # a person went on with the branch by hand
    if at is None:
        repository.update_refs([RefUpdate(ref, start, None)], f"start {task.id}")
    elif task.attempts == 1 and at != start:
        raise environment.Failed(f"a branch {task.branch} exists already, and is not this task's")
    worktree = worktrees.find(repository, path)
    if worktree is not None and (task.attempts > 1 or _is_whole(worktree)):
        worktrees.unlock(repository, worktree, ref)
        worktrees.rescue(repository, worktree, naming.rescue_ref(task.id), f"uncommitted files of {task.id}")
        _keep_earlier(repository, task, at)
        worktrees.restore(repository, worktree, branch=task.branch, commit=start)
        return worktree
    if worktree is not None:
        worktrees.discard_half_made(repository, path)
    _keep_earlier(repository, task, at)
    if at is not None and at != start:
        repository.update_refs([RefUpdate(ref, start, at)], f"start {task.id} afresh")
    return worktrees.add(repository, path, task.branch, f"gitorch {task.id}", new=at is None)


def _is_whole(worktree: Worktree) -> bool:
    return (worktree.admin / "index").exists() and not (worktree.admin / "index.lock").exists()


def _keep_earlier(repository: Repository, task: Task, tip: Oid | None) -> None:
    """Keep the tip of the attempt before under its own ref."""
    if tip is None or task.attempts < 2:
        return
    ref = naming.attempt_ref(task.id, task.attempts - 1)
    if repository.read_ref(ref) is None:
        repository.update_refs([RefUpdate(ref, tip, None)], f"keep attempt {task.attempts - 1} of {task.id}")


def _environment(means: Means, task: Task, worktree: Worktree, folder: Path) -> dict[str, str]:
    """Return the environment of an attempt's programs: an allow-list, and the fence of its git."""
    fenced = fence.environment(
        hooks=fence.hooks_folder(),
        user_hooks=fence.user_hooks(means.repository, worktree.path),
        git_dir=worktree.admin,
        common_dir=means.repository.common_dir,
        branch=branch_ref(task.branch),
        task=task.id,
        agent=task.spec.agent,
        alarm=folder / "alarms",
    )
    given = environment.variables(means.config, means.folder, task.id)
    env = means.repository.identity() | environment.agent_environment(means, task.spec.agent) | fenced | given
    return environment.with_program(env, folder / "bin")
