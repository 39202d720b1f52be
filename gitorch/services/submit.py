"""Tasks into the queue: new ones, and those that are to be done again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitorch.config import FILE
from gitorch.errors import Refused
from gitorch.model import graph
from gitorch.model.naming import branch_ref
from gitorch.model.task import State, Task, by_id, change, change_spec
from gitorch.services.workspace import Workspace, unknown
from gitorch.storage import trust
from gitorch.storage.operations import SUBMIT, Agreed, words


class Queueing(Workspace):
    """What brings tasks into the queue."""

    def submit(self, tasks: Sequence[Task], *, plan: Agreed | None = None) -> list[Task]:
        """Queue tasks, all or none: those of a plan, where one is named. A cycle, an unknown dependency are refused."""
        trust.require_person("queue tasks")
        self._require_prefix()
        graph.refuse_broken(by_id(tasks), self.tasks)
        queued = self._change(SUBMIT, [(None, task) for task in tasks], words("submit", tasks), plan)
        self.store.snapshot_if_due()
        return queued  # another command may have taken the same number

    def retry(self, tasks: Sequence[Task], *, agent: str = "") -> list[Task]:
        """Queue fresh attempts on a fresh base. What there was is kept under the attempts' own refs."""
        again = [(task, _afresh(task, agent)) for task in tasks]
        self.refuse_bare_names(new for _, new in again)
        asked = {task.id for task in tasks}
        stale = {one.id: (one, marked) for task in tasks for one, marked in self._made_stale(task)}
        below = [pair for name, pair in stale.items() if name not in asked]
        return self._change("retry", [*again, *below], words("retry", tasks))[: len(again)]

    def taken(self) -> set[str]:
        """Return the names that a new task cannot have: those of tasks, and of branches where its own would be."""
        refs = self.repository.refs(f"refs/heads/{self.config.prefix}".rstrip("/"))
        branches = (ref.removeprefix("refs/heads/") for ref in refs)
        return {*self.tasks, *(branch.removeprefix(self.config.prefix) for branch in branches)}

    def refuse_bare_names(self, tasks: Iterable[Task]) -> None:
        """Raise `InvalidInput` for an agent or a role that is not configured."""
        roles = self.roles
        for task in tasks:
            if task.spec.agent and task.spec.agent not in self.config.agents:
                raise unknown("agent", task.spec.agent, [*self.config.agents, *roles])
            if task.spec.role and task.spec.role not in roles:
                raise unknown("role", task.spec.role, list(roles))

    def _require_prefix(self) -> None:
        """Raise `Refused` when the user has a branch that leaves no room for ours."""
        first = self.config.branch.partition("/")[0]
        if "/" in self.config.branch and branch_ref(first) in self.repository.refs(branch_ref(first)):
            raise Refused(
                "branch-prefix",
                f"there is a branch called {first}, so no branch {self.config.branch} can be made",
                why="git keeps branches like files: a name cannot be a folder too",
                fix=(f'add to {FILE}: branch = "tasks/{{task}}" and integration = "tasks/integration"',),
            )


def _afresh(task: Task, agent: str) -> Task:
    return change(
        change_spec(task, agent=agent or task.spec.agent),
        state=State.QUEUED,
        reason="",
        commits=None,
        results=(),
        comments=(),
        retried=0,
        wake=None,
        stale=False,
        conflict=None,
        failed_conflict_id="",
    )
