"""What is known before the morning: the conflict forecast, and the night's candidate."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import GitorchError, Refused
from gitorch.git.repository import RefMove
from gitorch.model import forecast as model
from gitorch.model import naming
from gitorch.model.forecast import IN_FLIGHT, Candidate, Conflict, Forecast, Foreseen, Judgement
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import Phase, State, Task
from gitorch.services.review import Morning
from gitorch.storage import locks
from gitorch.storage.atomic import replace

if TYPE_CHECKING:
    from gitorch.flow.forecast.pairs import Branch, Known
    from gitorch.flow.merge import Plan
    from gitorch.flow.merge.candidate import Gathered, Ground
    from gitorch.replay import Replayer


class Forecasting(Morning):
    """The forecast and the candidate: made again from branches at any time, read without git."""

    def conflicts(self) -> tuple[Conflict, ...]:
        """Return the conflicts that were foreseen when somebody last looked and whose tasks are still in flight."""
        found = self._record(self.folder / "forecast.json", Forecast)
        return model.still_true(found.conflicts, self.tasks) if found else ()

    def candidate(self) -> Candidate | None:
        """Return the night's candidate as it was last made; None before the first."""
        return self._record(self.folder / "candidate.json", Candidate)

    def foreseen(self) -> Foreseen:
        """Return both."""
        return self.conflicts(), self.candidate()

    def _record(self, path: Path, kind: type[model.Record]) -> model.Record | None:
        try:
            return model.decoded(path.read_bytes(), kind)
        except FileNotFoundError:
            return None

    def foresee(
        self, replayer: Replayer, known: Known | None = None, clean: Collection[TaskId] = ()
    ) -> tuple[Conflict, ...]:
        """Merge what is in flight in memory, and remember which conflicts that gives.

        `known` spares what was merged before; `clean` are the running tasks whose worktrees hold nothing uncommitted.
        """
        from gitorch.flow.forecast import pairs
        from gitorch.flow.scheduling import base

        onto = self.integration() or base.named(self.repository, self.config)
        branches = self._in_flight(clean)
        found = pairs.forecast(replayer, branches, onto, known)
        tips = {branch.task: branch.tip for branch in branches}
        self.folder.mkdir(parents=True, exist_ok=True)
        made = Forecast(when=datetime.now(UTC), onto=onto, tips=tips, conflicts=found)
        replace(self.folder / "forecast.json", model.encoded(made))
        return found

    def refresh(self, known: Replayer | None = None) -> list[str]:
        """Make the forecast and the candidate again, where no run does; return what kept it from that, in words.

        `known` is a replayer of this process that has read much of what is needed.
        """
        from gitorch.flow import merge
        from gitorch.replay import Replayer

        try:
            with self._one_at_a_time(), ExitStack() as stack:
                plain = merge.unwrapped(known) if known else stack.enter_context(Replayer(self.repository))
                self.foresee(plain)
                self.rebuild_candidate(plain)
        except GitorchError as error:
            return [f"the candidate was not made again: {error.what}"]
        return []

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Wait for another command that does the same: what it wrote would be replaced under its hands."""
        with locks.turn(self.folder / "forecast.lock"):
            yield

    def _in_flight(self, clean: Collection[TaskId]) -> list[Branch]:
        """Return the branches in flight as they are now; of a running task, what it has not committed yet, too."""
        from gitorch.flow.forecast.pairs import Branch

        refs = self.repository.refs(*self._branches(), f"{naming.OWN_REFS}rescue")
        tasks = [task for task in self.tasks.values() if task.state in IN_FLIGHT and task.base and task.branch]
        tips = {task.id: tip for task in tasks if (tip := refs.get(branch_ref(task.branch)))}
        unsaved = [task.id for task in tasks if _is_open(task) and task.id in tips and task.id not in clean]
        saved = {name: refs[ref] for name in unsaved if (ref := naming.rescue_ref(name)) in refs}
        for name, commit in zip(saved, self.repository.commits(saved.values()), strict=True):
            if commit.parents[-1:] == (tips[name],):  # an older one is of work that has been committed since
                tips[name] = commit.oid
        return [Branch(task.id, task.base, tips[task.id]) for task in tasks if task.base and task.id in tips]

    def sight(self) -> object:
        """Return what the forecast and the candidate depend on: equal as long as nothing has changed."""
        refs = self.repository.refs(*self._branches(), f"{naming.OWN_REFS}rescue")
        return self.ground(), refs, [(task.id, task.state, task.tip, task.stale) for task in self.tasks.values()]

    def _branches(self) -> list[str]:
        """Return the patterns of all task branches: under the prefix, and adopted ones."""
        prefix = self.config.prefix
        other = [task.branch for task in self.tasks.values() if task.branch and not task.branch.startswith(prefix)]
        return [f"refs/heads/{prefix}{'' if prefix.endswith('/') else '**'}", *map(branch_ref, other)]

    def save_running(self, task: Task) -> Oid | None:
        """Save what a running task has not committed as a rescue point; None when there is nothing to save.

        Its worktree, index and branch stay as they are.
        """
        from gitorch.git import worktrees

        worktree = worktrees.find(self.repository, Path(task.worktree)) if task.worktree else None
        if worktree is None or task.attempt is None or task.attempt.phase is not Phase.WORKING:
            return None
        message = f"work of {task.id} that goes on"
        return worktrees.rescue(self.repository, worktree, naming.rescue_ref(task.id), message)

    def rebuild_candidate(
        self, replayer: Replayer, *, checked: bool = False, under_way: Candidate | None = None
    ) -> tuple[Plan, Candidate] | None:
        """Make the candidate again of all completed work, and move its branch; None when it is as it should be.

        With `checked` somebody is going to check it, unless it is the one `under_way` already. A branch that is checked
        out stays where it is, and the candidate says so; what somebody else has put there is kept under
        `refs/gitorch/trash/`.
        """
        from gitorch.flow import merge
        from gitorch.flow.merge import candidate

        (ground, at), gathered, known = self._standing(), candidate.gather(self.tasks), self.candidate()
        if self._is_settled(known, gathered, ground, at, checked=checked and known != under_way):
            return None
        # commands that make files run when it is merged
        plan = self.plan_of(merge.Resolver(replayer), gathered.chosen, ground=ground)
        made = candidate.record(
            plan,
            replayer.tree(plan.tip),
            gathered,
            ground,
            branch=self.config.candidate,
            before=at if known and at in (known.tip, known.before) else None,
            when=datetime.now(UTC),
        )
        made = self._to_be_judged(made, known, checked=checked)
        replayer.keep(plan.tip)
        return plan, self._put(made, at)

    def _is_settled(
        self, known: Candidate | None, gathered: Gathered, ground: Ground, at: Oid | None, *, checked: bool
    ) -> bool:
        from gitorch.flow.merge import candidate

        if known is None:
            return not gathered.chosen and at is None
        in_place = at == known.tip or (bool(known.held) and self._is_held(known))
        judged = not checked or known.judgement in (Judgement.GREEN, Judgement.RED) or self._unjudged(known.onto)
        return in_place and bool(judged) and candidate.is_current(known, gathered, ground)

    def _is_held(self, made: Candidate) -> bool:
        try:
            self._refuse_checked_out(made.branch)
        except Refused:
            return True
        return False

    def _to_be_judged(self, made: Candidate, known: Candidate | None, *, checked: bool) -> Candidate:
        """Return a candidate with what is known of its checks now."""
        if reason := self._unjudged(made.onto) or ("" if made.tasks else "nothing has been added to what is merged"):
            return msgspec.structs.replace(made, reason=reason)
        if known and known.tree == made.tree and known.judgement is Judgement.GREEN:
            return msgspec.structs.replace(made, judgement=Judgement.GREEN, results=known.results)
        return msgspec.structs.replace(made, judgement=Judgement.CHECKING) if checked else unchecked(made)

    def _unjudged(self, onto: Oid) -> str:
        """Return why checks can say nothing of a candidate; empty where they can."""
        if self.config.merge.verify == "never":
            return "merge.verify is never"
        try:
            judge = self.judge_of(onto)
        except GitorchError as error:
            return error.what
        return "" if judge.checks else "no checks are configured"

    def _put(self, made: Candidate, at: Oid | None) -> Candidate:
        """Remember a candidate, and move its branch there."""
        ref = branch_ref(made.branch)
        if at != made.tip:
            try:
                self._refuse_checked_out(made.branch)
            except Refused as refused:
                made = msgspec.structs.replace(made, held=refused.what)
        self.remember(made)
        if at != made.tip and not made.held:
            moves = [RefMove(ref, made.tip, at)]
            if at is not None and made.before is None:
                stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
                moves.append(RefMove(naming.trash_ref("candidate", stamp), at, None))
            self.repository.move(moves, "make the candidate")
        return made

    def remember(self, made: Candidate) -> None:
        """Write down what is known of the candidate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace(self.folder / "candidate.json", model.encoded(made))


def unchecked(made: Candidate) -> Candidate:
    """Return a candidate that nobody checks now, and the next run will."""
    return msgspec.structs.replace(made, judgement=Judgement.UNCHECKED, reason="the next run checks it")


def _is_open(task: Task) -> bool:
    return task.state in (State.RUNNING, State.WAITING)
