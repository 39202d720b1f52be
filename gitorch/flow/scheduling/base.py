"""The commit on which a task's branch starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gitorch.config import Config
from gitorch.errors import NotFound
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import State, Task
from gitorch.replay import Conflicted, merge_heads


class Base(msgspec.Struct, frozen=True):
    """A base commit, and the tasks whose work it contains."""

    commit: Oid
    dependencies: tuple[Task, ...] = ()


class BaseConflict(msgspec.Struct, frozen=True):
    """Dependencies that cannot be merged, and the paths in conflict."""

    tasks: tuple[TaskId, ...]
    paths: tuple[str, ...]


def start_commit(repository: Repository, config: Config, revision: str = "") -> Oid:
    """Return the commit on which a task without dependencies starts.

    That is `revision`, else the configured base, else the user's current branch; or the integration branch if it is
    ahead of that. Raises `NotFound` if there is no such commit.
    """
    name = revision or ("HEAD" if config.base == "auto" else config.base)
    if not name.isprintable():
        raise _no_base(name)
    commit, integration = repository.object_ids(f"{name}^{{commit}}", branch_ref(config.integration))
    if commit is None:
        raise _no_base(name)
    if not revision and integration and repository.is_ancestor(commit, integration):
        return integration
    return commit


def choose_base(
    repository: Repository, config: Config, task: Task, tasks: Mapping[TaskId, Task]
) -> Base | BaseConflict:
    """Return the base of a task's next attempt: the tip of its dependency, or a merge of several tips."""
    dependencies = [tasks[name] for name in task.spec.after if name in tasks]
    if not dependencies:
        return Base(start_commit(repository, config, task.spec.base_ref))
    tips = [tip for dependency in dependencies if dependency.state is not State.MERGED and (tip := dependency.tip)]
    # merged dependencies are on the integration branch
    heads: Sequence[Oid] = (
        tips if len(tips) == len(dependencies) else [start_commit(repository, config, task.spec.base_ref), *tips]
    )
    combined = merge_heads(
        repository, heads, f"Bases of {task.id}: {', '.join(dependency.id for dependency in dependencies)}\n"
    )
    if isinstance(combined, Conflicted):
        return BaseConflict(tuple(dependency.id for dependency in dependencies), combined.paths)
    return Base(combined, tuple(dependencies))


def _no_base(name: str) -> NotFound:
    if name == "HEAD":
        return NotFound(
            "no-commit",
            "this repository has no commits yet",
            fix=("git commit --allow-empty -m 'First commit'",),
        )
    return NotFound("no-base", f"there is no commit {name}", fix=("git branch --list",))
