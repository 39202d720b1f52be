"""Load the roles, and assign one to a task."""

from __future__ import annotations

from collections.abc import Mapping

from gitorch import config as configuration
from gitorch.config import Config, LoadedConfig
from gitorch.git.repository import Repository
from gitorch.model import subagents
from gitorch.model.roles import Role, route
from gitorch.model.task import Task, change_spec


def load_roles(repository: Repository, loaded: LoadedConfig) -> Mapping[str, Role]:
    """Return the roles by name: built in, described by the repository, and changed by the configuration.

    The repository's files are read from the base commit, like the checks: neither files in worktrees nor task branches
    can change the instructions of the next agent.
    """
    base = "HEAD" if loaded.config.base == "auto" else repository.full_name(loaded.config.base)
    files = repository.plain_files(base, subagents.FOLDER, max_files=subagents.MOST_FILES, max_bytes=subagents.LARGEST)
    commit = (repository.resolve(base) if files else None) or base
    roles = (subagents.read(content, path, commit) for path, content in files.items() if path.endswith(".md"))
    roles_by_name = subagents.with_built_in(role for role in roles if role is not None)
    return configuration.roles(loaded, repository.checkout, roles_by_name)


def agent_of_role(roles: Mapping[str, Role], name: str) -> str:
    """Return the agent that suits a role; empty if it has no preference."""
    return roles[name].agent if name in roles else ""


def assign_role(roles: Mapping[str, Role], config: Config, task: Task) -> Task:
    """Return a task with its role and the agent that suits it.

    The task or the configuration names the role; otherwise the task's words and paths select it.
    """
    name, reason = task.spec.role or config.role, ""
    if name == "auto":
        # the title is the first line of the prompt
        remainder = task.spec.prompt.removeprefix(task.title)
        role, reason = route(task.title, roles, prompt=remainder, paths=task.spec.paths)
        name = role.name
    return change_spec(task, role=name, role_reason=reason, agent=task.spec.agent or agent_of_role(roles, name))
