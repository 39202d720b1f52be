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
    """A base, and the tasks whose work it holds."""

    commit: Oid
    before: tuple[Task, ...] = ()


class BaseConflict(msgspec.Struct, frozen=True):
    """Dependencies that cannot be combined: which, and in which paths."""

    tasks: tuple[TaskId, ...]
    paths: tuple[str, ...]


def named(repository: Repository, config: Config, wanted: str = "") -> Oid:
    """Return where work starts that waits for nothing.

    That is `wanted`, else the configured base, else the branch the user is on; or the integration branch, where this
    holds all of that and more. Raises `NotFound` when there is no such commit.
    """
    name = wanted or ("HEAD" if config.base == "auto" else config.base)
    if not name.isprintable():
        raise _no_base(name)
    commit, integration = repository.object_ids(f"{name}^{{commit}}", branch_ref(config.integration))
    if commit is None:
        raise _no_base(name)
    if not wanted and integration and repository.is_ancestor(commit, integration):
        return integration
    return commit


def choose_base(
    repository: Repository, config: Config, task: Task, tasks: Mapping[TaskId, Task]
) -> Base | BaseConflict:
    """Return the base of a task's next attempt: its dependency's tip, or a merge of several tips made in memory."""
    before = [tasks[name] for name in task.spec.after if name in tasks]
    if not before:
        return Base(named(repository, config, task.spec.base_ref))
    tips = [tip for one in before if one.state is not State.MERGED and (tip := one.tip)]
    # what is merged already is on the integration branch
    heads: Sequence[Oid] = tips if len(tips) == len(before) else [named(repository, config, task.spec.base_ref), *tips]
    combined = merge_heads(repository, heads, f"Bases of {task.id}: {', '.join(one.id for one in before)}\n")
    if isinstance(combined, Conflicted):
        return BaseConflict(tuple(one.id for one in before), combined.paths)
    return Base(combined, tuple(before))


def _no_base(name: str) -> NotFound:
    if name == "HEAD":
        return NotFound(
            "no-commit",
            "this repository has no commit yet: there is nothing to start a branch on",
            fix=("git commit --allow-empty -m 'First commit'",),
        )
    return NotFound("no-base", f"there is no commit called {name}", fix=("git branch --list",))
