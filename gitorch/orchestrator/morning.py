"""Review what was done, and merge what was approved."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gitorch import trust
from gitorch.errors import InvalidInput, ProofFailed, Refused
from gitorch.model import note
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import Comment, State, Task, change
from gitorch.operations import Restated
from gitorch.orchestrator.merging import Merging, nothing_merged

if TYPE_CHECKING:
    from gitorch.flow.merger import Clash, Plan, Progress
    from gitorch.flow.review import Card
    from gitorch.flow.verify import Judge
    from gitorch.git.hunks import Hunk
    from gitorch.git.replay import Replayer


class Morning(Merging):
    """The morning: verdicts and merges."""

    def card(self, task: Task) -> Card:
        """Return what a reviewer needs to see of a task."""
        from gitorch.flow import review

        if task.tip is None:
            raise Refused(
                "no-commits", f"{task.id} has no commits yet", why=task.reason, fix=(f"orchestrate log {task.id}",)
            )
        return review.card(self.repository, self.config, task)

    def approve(self, tasks: Sequence[Task], who: str, *, force: bool = False, comment: str = "") -> list[Task]:
        """Accept tasks for merging. Failing checks are refused, unless forced."""
        trust.require_person("approve")
        merged = [task for task in tasks if task.state is State.MERGED]
        self._approve_merged(merged, who, comment)
        tasks = [self._as_branch(task) for task in tasks if task not in merged]
        for task in tasks:
            if self.config.review.require_checks and not force:
                self._require_checks(task)
        approved = [change(task, state=State.APPROVED, reason="") for task in tasks]
        said = (Comment(text=comment),) if comment else ()
        self._note_verdicts(tasks, "approve", who, said)
        self.store.save(approved)
        self.store.snapshot_if_due()
        return [*approved, *merged]

    def _require_checks(self, task: Task) -> None:
        """Raise `Refused` when a check fails, or when there are checks and none has judged this very tree."""
        failing = ", ".join(result.name for result in task.results if not result.passed)
        unjudged = task.tip is not None and not task.results and bool(self.checks_for(task))
        if failing or unjudged:
            raise Refused(
                "checks-failed",
                f"{task.id} does not pass its checks: {failing}"
                if failing
                else f"no check has judged {task.id} as it is",
                fix=(f"orchestrate revise {task.id} -m ...", f"orchestrate approve {task.id} --force"),
            )

    def _as_branch(self, task: Task) -> Task:
        """Return a task with its branch's tip as it is now: a person may have committed to it by hand.

        Raises `Refused` when the branch is gone or no longer holds what was reviewed.
        """
        ref = branch_ref(task.branch)
        tip = self.repository.refs(ref).get(ref) if task.branch else None
        if tip == task.tip or task.tip is None:
            return task
        if tip is None or not self.repository.is_ancestor(task.tip, tip):
            raise Refused(
                "branch-moved",
                f"{task.branch} no longer holds the work that was checked",
                why=f"{task.tip[:12]} was checked, the branch is at {tip[:12] if tip else 'no commit'}",
                fix=(f"git branch --force {task.branch} {task.tip[:12]}", f"orchestrate retry {task.id}"),
            )
        same = self.repository.tree(tip) == self.repository.tree(task.tip)
        return change(task, tip=tip, results=task.results if same else ())

    def comment(self, task: Task, comment: Comment) -> Task:
        """Add a reviewer's words to a task; `revise` sends them."""
        if task.state is State.RUNNING:
            raise Refused("running", f"{task.id} is being worked on: there is nothing to comment on yet")
        commented = change(task, comments=(*task.comments, comment))
        self.store.save([commented])
        return commented

    def revise(self, task: Task, who: str, comments: Sequence[Comment]) -> Task:
        """Send a task back: the next attempt goes on with its branch and gets the comments."""
        trust.require_person("send work back")
        every = (*task.comments, *comments)
        if not every:
            raise InvalidInput(
                "no-comment", "say what should be different", fix=(f'orchestrate revise {task.id} -m "..."',)
            )
        revised = change(task, state=State.QUEUED, reason="sent back", comments=every, retried=0)
        self._note_verdicts([task], "revise", who, every)
        self.store.save([revised, *self._made_stale(task)])
        self.store.snapshot_if_due()
        return revised

    def reject(self, task: Task, who: str, comment: str = "") -> Task:
        """Drop a task. Its branch is kept."""
        trust.require_person("reject work")
        rejected = change(task, state=State.REJECTED, reason=comment)
        self._note_verdicts([task], "reject", who, (Comment(text=comment),) if comment else ())
        self.store.save([rejected, *self._made_stale(task)])
        self.store.snapshot_if_due()
        return rejected

    def _note_verdicts(self, tasks: Sequence[Task], verdict: str, who: str, comments: Sequence[Comment]) -> None:
        from gitorch.git import notes

        lines = {task.tip: [note.verdict_line(task, verdict, who, comments)] for task in tasks if task.tip}
        if lines:
            notes.append(self.repository, lines, f"note verdict {verdict}")

    def plan_merge(
        self, replayer: Replayer, names: Sequence[TaskId] | None, skip: Sequence[TaskId] = (), into: str = ""
    ) -> Plan:
        """Say what a merge would do, without doing anything; with `into`, to which branch of the user's besides."""
        from gitorch.flow import base, merger
        from gitorch.git.replay import Conflicted

        tasks = self.tasks
        for name in names or ():
            if tasks[name].state not in merger.MERGEABLE:
                raise Refused(
                    "not-approved", f"{name} is {tasks[name].state}, not approved", fix=(f"orchestrate approve {name}",)
                )
        target = self._target(into)
        before = self.integration()
        if target is not None:
            self._require_approved(target, before)
        rebased = self._rebased(replayer, before, target) if before else None
        onto = before or (target.before if target else base.trunk(self.repository, self.config))
        chosen = merger.choose(tasks, names, skip)
        extra = {"rebased": rebased, "target": target}
        if isinstance(rebased, merger.Rebased):
            if isinstance(rebased.replayed, Conflicted):
                stuck = merger.Plan(before=before, onto=onto, rebased=rebased, target=target)
                return msgspec.structs.replace(stuck, held=self._stuck(stuck, chosen))
            onto = rebased.replayed.tip
        return msgspec.structs.replace(merger.plan(replayer, tasks, chosen, before, onto), **extra)

    def hunks(self, replayer: Replayer, clash: Clash) -> tuple[Hunk, ...]:
        """Return the places in which a task's change cannot be combined with what goes in before it."""
        from gitorch.git import hunks

        return hunks.cut(replayer, clash.conflict) if clash.conflict else ()

    def verify_merge(
        self, replayer: Replayer, plan: Plan, verify: str, *, recheck: bool = False
    ) -> Generator[Progress, None, Plan]:
        """Check the trees that a plan would publish; return the plan of what stays green.

        With `recheck` what earlier commands found does not count.
        """
        from gitorch.flow import merger

        if plan.is_stuck:
            return plan
        replayer.keep(plan.onto)
        with self._judge(plan.onto, recheck=recheck) as judge:
            made = yield from merger.verified(replayer, self.tasks, plan, judge.check, verify, judge.width)
            return (yield from self._check_target(made, judge.check, verify))

    def publish(self, replayer: Replayer, plan: Plan) -> None:
        """Move the integration branch, the notes and the tasks to a plan's result, all or nothing."""
        from gitorch.flow import merger
        from gitorch.git import notes

        trust.require_person("merge")
        conflicted = self._conflicted(plan)
        if not plan.steps and (plan.target is None or plan.is_stuck):
            self.store.save(conflicted)
            return
        if not plan.steps and plan.before is None:
            raise nothing_merged(self.config.integration)
        if plan.tip != plan.before:
            self._refuse_checked_out(self.config.integration)
        replayer.keep(plan.tip)
        self._prove(plan)
        self._record_base(plan)
        restated = [Restated(step.task.id, step.task.state, State.MERGED, step.replayed.tip) for step in plan.steps]
        restated += [Restated(one.id, self.tasks[one.id].state, one.state, reason=one.reason) for one in conflicted]
        restated += self._moved_merges(plan)
        with (
            self.operations.turn() as lock,
            notes.turn(self.repository),
            self.repository.lending(lock, everywhere=False),
        ):
            moves = merger.moves(self.repository, plan, self.config.integration)
            kind = "merge --into" if plan.target else "merge"
            reason = f"merge {len(plan.steps)} tasks" + (f" into {plan.target.branch}" if plan.target else "")
            if moves or restated:
                self._move_all(kind, moves, restated, reason)
        self.store.snapshot_if_due()

    def _prove(self, plan: Plan) -> None:
        """Raise `ProofFailed`, with all that is known saved, when a plan's commits are not what it says they are."""
        from gitorch.flow import merger

        if found := merger.faults(self.repository, self.tasks, plan):
            path = self.folder / "crashes" / f"proof-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(msgspec.to_builtins({"faults": found, "plan": plan})), "ascii")
            raise ProofFailed(
                "proof-failed",
                f"the merge is not what was planned: {found[0]}",
                why=f"nothing was moved; {len(found)} faults and the plan are in {path}",
                fix=("orchestrate merge --verify each",),
            )

    def _conflicted(self, plan: Plan) -> list[Task]:
        found = []
        for clash in plan.clashes:
            partners = ", ".join(clash.partners) or self.config.integration
            reason = f"conflicts with {partners} in {', '.join(clash.paths)}"
            found.append(change(self.tasks[clash.task.id], state=State.CONFLICTED, reason=reason))
        return found

    def _judge(self, base: Oid, *, recheck: bool) -> Judge:
        from gitorch.flow.verify import Judge

        tree = Task(id=TaskId("integration"), number=0, title="", prompt="", base=base)
        return Judge(self.means(), self.checks_for(tree), recheck=recheck)

    def _refuse_checked_out(self, branch: str) -> None:
        """Raise `Refused` when a worktree has this branch checked out: moving it would make that look dirty."""
        listing = self.repository.git("worktree", "list", "--porcelain", "-z").stdout.decode("utf-8", "surrogateescape")
        for entry in listing.split("\0\0"):
            lines = entry.split("\0")
            if f"branch {branch_ref(branch)}" in lines:
                where = lines[0].removeprefix("worktree ")
                raise Refused("checked-out", f"{branch} is checked out in {where}", fix=(f"git -C {where} switch -",))
