"""Queue new tasks, and new attempts of existing ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from gitorch.config import FILE
from gitorch.errors import InvalidInput, Refused
from gitorch.flow import intake
from gitorch.flow.intake import TaskDraft
from gitorch.model import graph
from gitorch.model.naming import branch_ref
from gitorch.model.task import Comment, State, Task, by_id, change, change_spec
from gitorch.rooms.paths import require_outside
from gitorch.services import people_only
from gitorch.services.branches.stale import mark_dependents_stale
from gitorch.services.changes import change_tasks
from gitorch.services.input_checks import require_bases, require_commands, require_globs, require_utf8
from gitorch.services.lookup import require_configured_agents, unknown_name
from gitorch.services.roles import assign_role
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import SUBMIT, PlanApproval, describe
from gitorch.storage.tasks import TaskMoved


def submit(workspace: Workspace, tasks: Sequence[Task], *, plan: PlanApproval | None = None) -> list[Task]:
    """Queue tasks, all or none; `plan` is the approval of the plan that they come from, if any.

    Raises `InvalidInput` for an unknown dependency or a cycle.
    """
    people_only.require_person("queue tasks")
    require_prefix(workspace)
    require_outside(workspace.repository, workspace.config)
    graph.refuse_broken(by_id(tasks), workspace.tasks)
    queued = change_tasks(workspace, SUBMIT, [(None, task) for task in tasks], describe("submit", tasks), plan)
    workspace.store.snapshot_if_due()
    return queued  # another command may have reserved the same number


def submit_drafts(workspace: Workspace, drafts: Sequence[TaskDraft]) -> list[Task]:
    """Queue drafts, all or none; choose other names if another command takes one first."""
    while True:
        try:
            return submit(workspace, resolve_drafts(workspace, drafts))
        except TaskMoved:
            continue


def resolve_drafts(
    workspace: Workspace,
    drafts: Sequence[TaskDraft],
    *,
    reserved: Collection[str] | None = None,
    created: datetime | None = None,
) -> list[Task]:
    """Return drafts as tasks: each with an id, a number, its dependencies, a role and an agent.

    `reserved` are the names that they cannot have, if the caller has read them already. Raises `InvalidInput` for
    drafts that cannot be queued.
    """
    tasks = workspace.tasks
    number = max(map(attrgetter("number"), tasks.values()), default=0) + 1
    reserved = reserved_names(workspace) if reserved is None else reserved
    branch, commit = workspace.repository.head()
    current = branch.removeprefix("refs/heads/") if branch and commit else ""
    require_utf8(current)
    resolved = intake.resolve(drafts, tasks, number, reserved=reserved, created=created, branch=current)
    assigned = [assign_role(workspace.roles, workspace.config, task) for task in resolved]
    require_known_names(workspace, assigned)
    return assigned


def draft_of(text: str) -> TaskDraft:
    """Return the draft of a task with this prompt; its title is the first line."""
    return intake.from_text(text)


def parse_drafts(content: bytes, name: str) -> list[TaskDraft]:
    """Read drafts from the content of a tasks file; errors call it `name`."""
    return intake.read(content, name)


def read_drafts(path: Path, name: str) -> list[TaskDraft]:
    """Read drafts from a tasks file or a folder of them; errors call it `name`."""
    if path.is_dir():
        return intake.read_folder(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput("no-file", f"cannot read {name}", why=error.strerror or "") from error
    return intake.read(content, name)


def retry(workspace: Workspace, tasks: Sequence[Task], *, agent: str = "") -> list[Task]:
    """Queue a new attempt of each task on a new base. Earlier attempts stay under their own refs."""
    resets = [(task, _reset(task, agent)) for task in tasks]
    require_known_names(workspace, (new for _, new in resets))
    names = {task.id for task in tasks}
    stale = {pair[0].id: pair for task in tasks for pair in mark_dependents_stale(workspace, task)}
    dependents = [pair for name, pair in stale.items() if name not in names]
    return change_tasks(workspace, "retry", [*resets, *dependents], describe("retry", tasks))[: len(resets)]


def reserved_names(workspace: Workspace) -> set[str]:
    """Return the names that a new task cannot have: those of existing tasks and task branches."""
    prefix = workspace.config.prefix
    refs = workspace.repository.refs(f"refs/heads/{prefix}".rstrip("/"))
    branches = (ref.removeprefix("refs/heads/") for ref in refs)
    return {*workspace.tasks, *(branch.removeprefix(prefix) for branch in branches)}


def require_known_names(workspace: Workspace, tasks: Iterable[Task]) -> None:
    """Raise `InvalidInput` for an agent or a role that is not configured, a base that is no commit, or a bad check."""
    roles, agents = workspace.roles, workspace.config.agents
    tasks = [*tasks]
    if not all(task.spec.agent for task in tasks):
        require_configured_agents(workspace.loaded)
    require_bases(workspace.repository, (task.spec.base_ref for task in tasks))
    for task in tasks:
        require_commands(task.spec.checks)
        require_globs(task.spec.paths)
        if task.spec.agent and task.spec.agent not in agents:
            raise unknown_name("agent", task.spec.agent, [*agents, *roles])
        if task.spec.role and task.spec.role not in roles:
            raise unknown_name("role", task.spec.role, list(roles))


def require_prefix(workspace: Workspace) -> None:
    """Raise `Refused` if a user branch has the name of the folder that task branches need."""
    branch, repository = workspace.config.branch, workspace.repository
    first = branch.partition("/")[0]
    if "/" in branch and repository.has_ref(branch_ref(first)):
        raise Refused(
            "branch-prefix",
            f"a branch called {first} exists, so branch {branch} cannot be created",
            why="git stores branches like files: a branch name cannot also be a folder",
            fix=(f'add to {FILE}: branch = "tasks/{{task}}" and integration = "tasks/integration"',),
        )


def _words(task: Task) -> tuple[Comment, ...]:
    """Return what a reviewer said of a task and no attempt has answered: comments, and why it was rejected."""
    rejected = (
        Comment(text=task.reason, attempt=task.attempts) if task.state is State.REJECTED and task.reason else None
    )
    return (*task.comments, rejected) if rejected else task.comments


def _reset(task: Task, agent: str) -> Task:
    return change(
        change_spec(task, agent=agent or task.spec.agent),
        state=State.QUEUED,
        reason="",
        place=(),
        commits=None,
        results=(),
        comments=_words(task),
        answer="",
        retried=0,
        wake=None,
        stale=False,
        restack=None,
        conflict=None,
        before_questions=None,
        failed_conflict_id="",
    )
