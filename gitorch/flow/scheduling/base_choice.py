"""The commit on which a task's branch starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gitorch.config import Config
from gitorch.errors import NotFound
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import State, Task, TaskSpec
from gitorch.replay import Conflicted, merge_heads


class Base(msgspec.Struct, frozen=True):
    """A base commit, and the tasks whose work it contains."""

    commit: Oid
    dependencies: tuple[Task, ...] = ()


class BaseConflict(msgspec.Struct, frozen=True):
    """Dependencies that cannot be merged, and the paths in conflict."""

    tasks: tuple[TaskId, ...]
    paths: tuple[str, ...]


def start_commit(repository: Repository, config: Config, revision: str = "", branch: str = "") -> Oid:
    """Return the commit on which a task without dependencies starts.

    That is `revision`, else the configured base, else the tip of `branch`, else the user's current branch; or the
    integration branch if it is ahead of that. Raises `NotFound` if there is no such commit.
    """
    name = revision or base_name(config, branch)
    if not name.isprintable():
        raise _no_base(repository, name)
    if branch and name == branch:
        words: str = branch_ref(branch)
    else:
        words = repository.head_name if name == "HEAD" else repository.full_name(name)
    commit, integration = repository.object_ids(f"{words}^{{commit}}", branch_ref(config.integration))
    if commit is None:
        raise _no_base(repository, words)
    if not revision and integration and repository.is_ancestor(commit, integration):
        return integration
    return commit


def base_name(config: Config, branch: str = "") -> str:
    """Return the configured base; with `base = "auto"` this branch, or without one HEAD."""
    return config.base if config.base != "auto" else branch or "HEAD"


def has_own(spec: TaskSpec) -> bool:
    """Tell whether a task has a base of its own: it then starts there, wherever the user is."""
    return bool(spec.base_ref or spec.base_branch)


def start_of(repository: Repository, config: Config, spec: TaskSpec) -> Oid:
    """Return the commit on which a task would start without its dependencies, as `start_commit` does."""
    return start_commit(repository, config, spec.base_ref, spec.base_branch)


def choose_base(
    repository: Repository, config: Config, task: Task, tasks: Mapping[TaskId, Task]
) -> Base | BaseConflict:
    """Return the base of a task's next attempt: the tip of its dependency, or a merge of several tips."""
    dependencies = [tasks[name] for name in task.spec.after if name in tasks]
    if not dependencies:
        return Base(start_of(repository, config, task.spec))
    tips = [tip for dependency in dependencies if dependency.state is not State.MERGED and (tip := dependency.tip)]
    # merged dependencies are on the integration branch
    heads: Sequence[Oid] = tips if len(tips) == len(dependencies) else [start_of(repository, config, task.spec), *tips]
    combined = merge_heads(
        repository, heads, f"Bases of {task.id}: {', '.join(dependency.id for dependency in dependencies)}\n"
    )
    if isinstance(combined, Conflicted):
        return BaseConflict(tuple(dependency.id for dependency in dependencies), combined.paths)
    return Base(combined, tuple(dependencies))


def _no_base(repository: Repository, name: str) -> NotFound:
    found = repository.git("rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=range(256))
    shown = name.removeprefix("refs/heads/")
    if found.code == 0 and not repository.exists(found.text):
        return NotFound(
            "commit-missing",
            f"{shown} is at {found.text[:12]}, and the repository does not have this commit",
            why="it may borrow objects from a repository that is gone, or have lost some",
            fix=("cat .git/objects/info/alternates", "git fsck --connectivity-only"),
        )
    if name == repository.head_name:
        if repository.git("for-each-ref", "--count=1", "refs/heads").text:
            unborn = (repository.head()[0] or name).removeprefix("refs/heads/")
            what = f"the branch {unborn}, which HEAD names, has no commits yet"
            return NotFound("no-commit", what, fix=("git switch BRANCH", "orchestrate submit --base BRANCH ..."))
        return NotFound(
            "no-commit",
            "this repository has no commits yet",
            fix=("git commit --allow-empty -m 'First commit'",),
        )
    if shown != name:
        what = f"the branch {shown} is gone: choose another base with `orchestrate edit TASK --base REF`"
        return NotFound("no-base", what, fix=("git branch --list",))
    return NotFound("no-base", f"there is no commit {name}", fix=("git branch --list",))
