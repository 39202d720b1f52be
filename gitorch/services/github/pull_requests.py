"""Stacked draft pull requests of approved tasks, for `merge --pr`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from gitorch.errors import Refused
from gitorch.model import graph
from gitorch.model.credentials.redaction import redacted
from gitorch.model.markdown_fences import fenced
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task
from gitorch.model.visible import visible
from gitorch.services import people_only
from gitorch.services.github.gh import gh, gh_json
from gitorch.services.workspace import Workspace


class _PullRequest(msgspec.Struct, frozen=True):
    url: str


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request to open or to update: a task's branch at its tip, onto the branch of what it builds on."""

    task: TaskId
    title: str
    branch: str
    tip: Oid
    base: str


class OpenedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request with its address; `created` is whether this command opened it."""

    planned: PlannedRequest
    url: str
    created: bool


def plan_requests(workspace: Workspace, names: Collection[TaskId] | None, base: str) -> list[PlannedRequest]:
    """Return the pull requests of approved tasks, dependencies first; `base` is the branch that they end up on.

    A task that builds on one other approved task is stacked on its branch. `names` limits it to these tasks and what
    they build on. Raises `Refused` where a task builds on several, or on work that is not approved.
    """
    tasks = workspace.tasks
    selected = graph.closure(names, tasks) if names is not None else set(tasks)
    approved = {name: tasks[name] for name in selected if name in tasks and tasks[name].state is State.APPROVED}
    if names is not None and (missing := {*names} - {*approved}):
        raise Refused("not-approved", f"not approved: {', '.join(sorted(missing))}", fix=("orchestrate approve TASK",))
    return [_planned(task, approved, tasks, base) for task in graph.merge_order(approved.values()) if task.tip]


def open_requests(workspace: Workspace, requests: Sequence[PlannedRequest], remote: str) -> Iterator[OpenedRequest]:
    """Push each branch and open a draft pull request for it, unless there is one; yield each as it is open.

    A push never overwrites what is on the remote. Raises `Refused` at the first that fails; a repeated call goes on.
    """
    people_only.require_person("open pull requests")
    gh(workspace, "auth", "status")
    for planned in requests:
        _push(workspace, planned, remote)
        words = ("pr", "list", f"--head={planned.branch}", "--state=open", "--json=url")
        existing = gh_json(workspace, *words, kind=list[_PullRequest])
        if existing:
            yield OpenedRequest(planned=planned, url=existing[0].url, created=False)
            continue
        options = (f"--head={planned.branch}", f"--base={planned.base}", f"--title={planned.title}", "--body-file=-")
        body = _body(workspace.tasks[planned.task])
        url = gh(workspace, "pr", "create", "--draft", *options, input=body).strip().splitlines()[-1:]
        yield OpenedRequest(planned=planned, url=url[0] if url else "", created=True)


def default_base(workspace: Workspace, remote: str) -> str:
    """Return the branch that pull requests go to: the configured base, or the default branch of the remote."""
    if workspace.config.base != "auto":
        return workspace.config.base.removeprefix(f"{remote}/")
    return gh(workspace, "repo", "view", "--json=defaultBranchRef", "--jq=.defaultBranchRef.name").strip()


def _planned(task: Task, approved: Mapping[TaskId, Task], tasks: Mapping[TaskId, Task], base: str) -> PlannedRequest:
    open_dependencies = [name for name in task.spec.after if name in tasks and tasks[name].state is not State.MERGED]
    if missing := [name for name in open_dependencies if name not in approved]:
        why = f"it builds on {', '.join(missing)}"
        raise Refused(
            "not-approved", f"{task.id} builds on work that is not approved", why=why, fix=("orchestrate review",)
        )
    if len(open_dependencies) > 1:
        why = f"it builds on {', '.join(open_dependencies)}, and a pull request has one base"
        raise Refused("several-bases", f"{task.id} cannot be stacked", why=why, fix=("orchestrate merge",))
    parent_branch = approved[open_dependencies[0]].branch if open_dependencies else base
    assert task.tip is not None
    # a page of a forge obeys what reorders or hides text
    title = " ".join(visible(redacted(task.title)).split()) or task.id
    return PlannedRequest(task=task.id, title=title, branch=task.branch, tip=task.tip, base=parent_branch)


def _push(workspace: Workspace, planned: PlannedRequest, remote: str) -> None:
    target = f"{planned.tip}:refs/heads/{planned.branch}"
    answer = workspace.repository.remote_git("push", "--quiet", remote, target)
    if answer.code != 0:
        why = answer.stderr.decode("utf-8", "replace").strip()
        fixes = (f"git fetch {remote} && git log {remote}/{planned.branch}",)
        raise Refused("push-failed", f"{planned.branch} could not be pushed to {remote}", why=why, fix=fixes)


def _body(task: Task) -> str:
    """Return the text of a pull request: what was asked, and what was checked."""
    # in a fence nothing of an issue by a stranger mentions a team, loads an image, or closes another issue
    prompt = visible(redacted(task.spec.prompt)).strip()
    checks = [f"- `{result.name}`: {'passed' if result.passed else 'failed'}" for result in task.results]
    lines = [fenced(prompt), "", f"Task `{task.id}`, attempt {task.attempts}, queued with gitorch."]
    return "\n".join([*lines, *(["", "Checks on this commit:", "", *checks] if checks else [])]) + "\n"
