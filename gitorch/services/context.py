"""What agents are told, and what they tell each other."""

from __future__ import annotations

import msgspec

from gitorch.model import graph
from gitorch.model.handoff import Handoff
from gitorch.model.task import State, Task
from gitorch.services.watch import Watching
from gitorch.storage.shared_notes import SharedNotes


class Sharing(Watching):
    """Briefs, handoffs, and the notes that the agents of a run share."""

    @property
    def shared(self) -> SharedNotes:
        return SharedNotes(self.folder / "context")

    def handoff(self, task: Task) -> Handoff:
        """Return what a task's last attempt handed over."""
        from gitorch.flow.attempt import briefing

        return briefing.handoff_of(self.repository, task)

    def brief(self, task: Task) -> tuple[str, bool]:
        """Return what a task's agent was told, and True; or, before it starts, what it would be told now, and False."""
        sent = None if task.state is State.QUEUED else self._sent(task)
        return (sent, True) if sent is not None else (self._brief_now(task), False)

    def _sent(self, task: Task) -> str | None:
        for execution in self.executions(task) if task.attempts else ():
            if (execution / "prompt.md").exists():
                return (execution / "prompt.md").read_text("utf-8")
        return None

    def _brief_now(self, task: Task) -> str:
        from gitorch.flow import attempt
        from gitorch.flow.scheduling import base

        found = base.choose_base(self.repository, self.config, task, self.tasks)
        # dependencies that conflict keep it from starting; what it would be told is known all the same
        commit = (
            found.commit
            if isinstance(found, base.Base)
            else base.named(self.repository, self.config, task.spec.base_ref)
        )
        means = self.means()
        started = attempt.begin(means, msgspec.structs.replace(task, state=State.QUEUED), commit)
        before = graph.nearest_first(task, self.tasks)
        return attempt.brief_of(means, started, self.checks_for(started), before)
