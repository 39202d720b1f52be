"""Existing branches become finished tasks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import Refused
from gitorch.git.repository import RefMove
from gitorch.model import graph, note
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.task import CheckResult, State, Task, by_id, change, commit_range
from gitorch.services.review import Morning
from gitorch.services.run import Night
from gitorch.storage import trust
from gitorch.storage.operations import words
from gitorch.storage.tasks import Pair

if TYPE_CHECKING:
    from gitorch.flow.adopt import Found, Left

_LOOKED_AT = 16  # worktrees whose files are looked at, one git each


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption makes: tasks of branches, and tasks that were there and are judged now.

    `commits` are the numbers of own commits by task, `sources` the branches that were asked for; `unsaved` names
    worktrees of these branches with uncommitted files, which do not count.
    """

    tasks: tuple[Task, ...]
    judged: tuple[Task, ...] = ()
    left: tuple[Left, ...] = ()
    commits: dict[TaskId, int] = {}
    sources: dict[TaskId, str] = {}
    unsaved: tuple[tuple[str, Path], ...] = ()


class Judging(msgspec.Struct, frozen=True):
    """A tree that is judged now, for whoever watches."""

    task: TaskId
    step: int
    of: int


class Adopting(Night, Morning):
    """Branches of people and other tools, on their way to review and merge."""

    def plan_adoption(
        self, patterns: Sequence[str], *, base: str = "", after: Sequence[TaskId] = (), check: bool = False
    ) -> Adoption:
        """Say which tasks these branches (names or globs, local or remote-tracking) would become.

        Raises `NotFound` for a name or glob without a branch, and `Refused` for branches that were named and cannot be
        adopted; those that a glob matched are left out by name.
        """
        from gitorch.flow import adopt
        from gitorch.flow.scheduling import base as basis

        self._require_prefix()
        tasks = self.tasks
        found = adopt.find(self.repository, patterns)
        judged = self._finished_ones(found) if check else []
        fresh = [one for one in found if one.ref not in {branch_ref(task.branch) for task in judged}]
        start = basis.named(self.repository, self.config, base)
        limits = [start, *([tip] if (tip := self.integration()) and tip != start else [])]
        study = adopt.study(self.repository, self.config, fresh, tasks, limits)
        adopt.refuse_named(study.left)
        made = adopt.tasks_of(self.repository, self.config, study.own, tasks, self.taken(), after)
        graph.refuse_broken(by_id(made), tasks)
        own = {one.branch.tip: one for one in study.own}
        return Adoption(
            tasks=tuple(made),
            judged=tuple(judged),
            left=study.left,
            commits={task.id: len(own[task.tip].commits) for task in made if task.tip},
            sources={task.id: own[task.tip].branch.name for task in made if task.tip},
            unsaved=tuple(self._unsaved([one.branch for one in study.own])),
        )

    def _finished_ones(self, found: Sequence[Found]) -> list[Task]:
        """Return the tasks that these branches are already and that nobody has judged as they are."""
        refs = {one.ref for one in found}
        finished = [task for task in self.tasks.values() if task.state is State.FINISHED and task.tip]
        mine = [task for task in finished if task.branch and branch_ref(task.branch) in refs]
        return [task for task in self._as_branches(mine) if not task.results]

    def _unsaved(self, branches: Sequence[Found]) -> list[tuple[str, Path]]:
        from gitorch.git import worktrees

        places = worktrees.checked_out(self.repository)
        names: dict[Ref, str] = {one.ref: one.name for one in branches if one.ref in places}
        found = []
        for ref in list(names)[:_LOOKED_AT]:
            if worktrees.is_dirty(self.repository, places[ref]):
                found.append((names[ref], places[ref]))
        return [*found, *((names[ref], places[ref]) for ref in list(names)[_LOOKED_AT:])]

    def judge_adoption(self, planned: Adoption) -> Generator[Judging, None, Adoption]:
        """Run the checks on the tips of an adoption's tasks; return it with their results.

        Raises `Refused` where there is no check to run.
        """
        from gitorch.flow.merge.trees import Judge

        every = [*planned.tasks, *planned.judged]
        checks = {task.id: self.checks_for(task) for task in every}
        if every and not any(checks.values()):
            raise Refused(
                "no-checks", "there is no check to judge them by", fix=("orchestrate init", "orchestrate config show")
            )
        results: dict[TaskId, tuple[CheckResult, ...]] = {}
        with ExitStack() as open_judges:
            judges: dict[str, Judge] = {}
            for step, task in enumerate(every, start=1):
                yield Judging(task.id, step, len(every))
                key = repr(sorted(checks[task.id].items()))
                if key not in judges:
                    judges[key] = open_judges.enter_context(Judge(self.means(), checks[task.id]))
                results[task.id] = judges[key].check(commit_range(task)[1])
        with_results = {task.id: _judged(task, results[task.id]) for task in every}
        return msgspec.structs.replace(
            planned,
            tasks=tuple(with_results[task.id] for task in planned.tasks),
            judged=tuple(with_results[task.id] for task in planned.judged),
        )

    def adopt(self, planned: Adoption) -> Adoption:
        """Make the tasks of an adoption, all or none. The branches themselves are not moved.

        A remote-tracking branch moves with each fetch, so its task gets a branch of its own at this tip.
        """
        trust.require_person("adopt branches")
        every = [*planned.tasks, *planned.judged]
        if not every:
            return planned
        lines: dict[Oid, list[note.Line]] = {}
        new = {task.id for task in planned.tasks}
        for task in every:
            _, tip = commit_range(task)
            checked = (note.check_line(result) for result in task.results)
            lines.setdefault(tip, []).extend([*([note.adopted_line(task)] if task.id in new else []), *checked])
        verb = "adopt" if planned.tasks else "check"
        now = self.tasks
        pairs: list[Pair] = [
            *((None, task) for task in planned.tasks),
            *((now[task.id], task) for task in planned.judged),
        ]
        made = self._change_noting(verb, pairs, lines, words(verb, every), self._own_branches(planned.tasks))
        self.store.snapshot_if_due()
        count = len(planned.tasks)
        return msgspec.structs.replace(planned, tasks=tuple(made[:count]), judged=tuple(made[count:]))

    def _own_branches(self, tasks: Sequence[Task]) -> list[RefMove]:
        ours = [task for task in tasks if task.branch == self.config.branch_of(task.id)]
        refs = self.repository.refs(*(branch_ref(task.branch) for task in ours)) if ours else {}
        return [RefMove(ref, task.tip, None) for task in ours if (ref := branch_ref(task.branch)) not in refs]


def _judged(task: Task, results: tuple[CheckResult, ...]) -> Task:
    failed = ", ".join(result.name for result in results if not result.passed)
    return change(task, results=results, reason=f"checks failed: {failed}" if failed else "")
