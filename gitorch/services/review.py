"""Review what was done, and merge what was approved."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import InvalidInput, ProofFailed, Refused
from gitorch.git.repository import RefsMoved
from gitorch.model import note
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.task import Comment, Commits, State, Task, TaskSpec, base_of, change
from gitorch.services.merge_branches import Merging, nothing_merged
from gitorch.storage import trust
from gitorch.storage.operations import Restated, words
from gitorch.storage.tasks import Pair

if TYPE_CHECKING:
    from gitorch.flow.merge import Clash, Plan, Progress, Said, Target, Tell
    from gitorch.flow.merge.candidate import Ground
    from gitorch.flow.merge.trees import Judge
    from gitorch.flow.review import Card
    from gitorch.replay import Replayer
    from gitorch.replay.hunks import Hunk


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
        tasks = [task for task in tasks if task not in merged]
        found = self._as_branches(tasks)
        for task in found:
            if self.config.review.require_checks and not force:
                self._require_checks(task)
        approved = [change(task, state=State.APPROVED, reason="") for task in found]
        said = (Comment(text=comment),) if comment else ()
        pairs = list(zip(tasks, approved, strict=True))
        return [*self._judge_tasks("approve", pairs, [*found, *merged], who, said), *merged]

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
                fix=(
                    f"orchestrate revise {task.id} -m ..." if failing else f"orchestrate adopt --check {task.branch}",
                    f"orchestrate approve {task.id} --force",
                ),
            )

    def _as_branches(self, tasks: Sequence[Task]) -> list[Task]:
        """Return tasks with their branches' tips as they are now: a person may have committed to one by hand.

        Raises `Refused` when a branch is gone or no longer holds what was reviewed.
        """
        refs = [branch_ref(task.branch) for task in tasks if task.branch]
        tips = self.repository.refs(*refs) if refs else {}
        return [self._as_branch(task, tips.get(branch_ref(task.branch))) for task in tasks]

    def _as_branch(self, task: Task, tip: Oid | None) -> Task:
        if tip == task.tip or task.tip is None:
            return task
        if tip is None or not self.repository.is_ancestor(task.tip, tip):
            raise Refused(
                "branch-moved",
                f"{task.branch} no longer holds the work that was checked",
                why=f"{task.tip[:12]} was checked, the branch is at {tip[:12] if tip else 'no commit'}",
                fix=(f"orchestrate reject {task.id}", f"orchestrate adopt {task.branch}")
                if task.adopted
                else (f"git branch --force {task.branch} {task.tip[:12]}", f"orchestrate retry {task.id}"),
            )
        same = self.repository.tree(tip) == self.repository.tree(task.tip)
        return change(task, commits=Commits(base_of(task), tip), results=task.results if same else ())

    def comment(self, task: Task, comment: Comment) -> Task:
        """Add a reviewer's words to a task; `revise` sends them."""
        if task.state is State.RUNNING:
            raise Refused("running", f"{task.id} is being worked on: there is nothing to comment on yet")
        commented = change(task, comments=(*task.comments, comment))
        return self._change("comment", [(task, commented)], f"comment on {task.id}")[0]

    def revise(self, task: Task, who: str, comments: Sequence[Comment]) -> Task:
        """Send a task back: the next attempt goes on with its branch and gets the comments."""
        trust.require_person("send work back")
        every = (*task.comments, *comments)
        if not every:
            raise InvalidInput(
                "no-comment", "say what should be different", fix=(f'orchestrate revise {task.id} -m "..."',)
            )
        revised = change(task, state=State.QUEUED, reason="sent back", comments=every, retried=0)
        pairs = [(task, revised), *self._made_stale(task)]
        return self._judge_tasks("revise", pairs, [task], who, every)[0]

    def reject(self, task: Task, who: str, comment: str = "") -> Task:
        """Drop a task. Its branch is kept."""
        trust.require_person("reject work")
        rejected = change(task, state=State.REJECTED, reason=comment)
        pairs = [(task, rejected), *self._made_stale(task)]
        return self._judge_tasks("reject", pairs, [task], who, (Comment(text=comment),) if comment else ())[0]

    def _judge_tasks(
        self, verdict: str, pairs: Sequence[Pair], judged: Sequence[Task], who: str, comments: Sequence[Comment]
    ) -> list[Task]:
        """Change tasks by a verdict on some of them, which is noted on their tips; return them changed."""
        lines: dict[Oid, list[note.Line]] = {}
        for task in judged:
            # what is merged by itself has its verdict where it is now
            if at := task.merged_as or task.tip:
                lines.setdefault(at, []).append(note.verdict_line(task, verdict, who, comments))
        changed = self._change_noting(verdict, pairs, lines, words(verdict, judged))
        self.store.snapshot_if_due()
        return changed

    def plan_merge(
        self,
        replayer: Replayer,
        names: Sequence[TaskId] | None,
        skip: Sequence[TaskId] = (),
        into: str = "",
        tell: Tell | None = None,
    ) -> Plan:
        """Say what a merge would do, without doing anything; with `into`, to which branch of the user's besides.

        `tell` hears how far it is.
        """
        from gitorch.flow import merge

        tasks = self.tasks
        for name in names or ():
            if tasks[name].state not in merge.MERGEABLE:
                raise Refused(
                    "not-approved", f"{name} is {tasks[name].state}, not approved", fix=(f"orchestrate approve {name}",)
                )
        target = self._target(into)
        if target is not None:
            self._require_approved(target, self.integration())
        return self.plan_of(replayer, merge.choose(tasks, names, skip), target, tell)

    def plan_of(
        self,
        replayer: Replayer,
        chosen: Sequence[Task],
        target: Target | None = None,
        tell: Tell | None = None,
        ground: Ground | None = None,
    ) -> Plan:
        """Say what a merge of these tasks would do: on the integration branch as it would stand on its base by then.

        That base is `target`, where it is brought to one. Where the two conflict, nothing goes in. `ground` is where
        both are, if that is known.
        """
        from gitorch.flow import merge
        from gitorch.replay import Conflicted

        tell = tell or merge.silent
        before, at = ground or ((self.integration(), target.before) if target else self.ground())
        tell(merge.Progress(f"replay {self.config.integration}", 0, 1))
        rebased = self._rebased(replayer, before, at, target) if before else None
        onto = before or at
        assert onto is not None  # where nothing is merged yet, `ground` names the base or raises
        if isinstance(rebased, merge.Rebased):
            if isinstance(rebased.replayed, Conflicted):
                stuck = merge.Plan(before=before, onto=onto, rebased=rebased, target=target)
                return msgspec.structs.replace(stuck, held=self._stuck(stuck, chosen))
            onto = rebased.replayed.tip
            replayer.keep(onto)
        made = merge.plan(replayer, self.tasks, chosen, before, onto, tell)
        return msgspec.structs.replace(made, rebased=rebased, target=target)

    def hunks(self, replayer: Replayer, clash: Clash) -> tuple[Hunk, ...]:
        """Return the places in which a task's change cannot be combined with what goes in before it."""
        from gitorch.replay import hunks

        return hunks.cut(replayer, clash.conflict) if clash.conflict else ()

    def verify_merge(
        self, replayer: Replayer, plan: Plan, verify: str, *, recheck: bool = False
    ) -> Generator[Progress, None, Plan]:
        """Check the trees that a plan would publish; return the plan of what stays green.

        With `recheck` what earlier commands found does not count.
        """
        from gitorch.flow import merge

        if plan.is_stuck:
            return plan
        with self.judge_of(plan.onto, recheck=recheck) as judge:
            made = yield from merge.verified(replayer, self.tasks, plan, judge.check, verify, judge.width)
            return (yield from self._check_target(made, judge.check, verify))

    def publish(self, replayer: Replayer, plan: Plan, said: Said | None = None) -> None:
        """Move the integration branch, the notes and the tasks to a plan's result, all or nothing.

        `said` are lines for the notes of new commits, beside those that tell of the merge.
        """
        from gitorch.flow import merge
        from gitorch.git import notes

        trust.require_person("merge")
        conflicted = self._conflicted(plan)
        if not plan.steps and (plan.target is None or plan.is_stuck):
            pairs = [(self.tasks[one.id], one) for one in conflicted]
            self._change("merge", pairs, f"merge: {len(pairs)} in conflict")
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
            moves = merge.moves(self.repository, plan, self.config.integration, said)
            told = words("merge", [step.task for step in plan.steps])
            if plan.target is not None:
                told = f"{told} into {plan.target.branch}" if plan.steps else f"merge into {plan.target.branch}"
            self._move_all("merge --into" if plan.target else "merge", moves, restated, told)
        self.store.snapshot_if_due()

    def _prove(self, plan: Plan) -> None:
        """Raise `ProofFailed`, with all that is known saved, when a plan's commits are not what it says they are."""
        from gitorch.flow import merge

        if found := merge.faults(self.repository, self.tasks, plan):
            self._refuse_moved(plan)
            path = self.folder / "crashes" / f"proof-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(msgspec.to_builtins({"faults": found, "plan": plan})), "ascii")
            raise ProofFailed(
                "proof-failed",
                f"the merge is not what was planned: {found[0]}",
                why=f"nothing was moved; {len(found)} faults and the plan are in {path}",
                fix=("orchestrate merge --verify each",),
            )

    def _refuse_moved(self, plan: Plan) -> None:
        """Raise `RefsMoved` when another command has been here since the plan was made: that is what does not fit."""
        target = plan.target
        there = self.integration() == plan.before and all(self.tasks.get(one.task.id) == one.task for one in plan.steps)
        if not there or (target is not None and self.repository.at(target.ref) != target.before):
            raise RefsMoved(
                "refs-moved",
                "the merge was planned on what has moved since: another command was first; nothing was moved",
                fix=("run the command again",),
            )

    def _conflicted(self, plan: Plan) -> list[Task]:
        found = []
        for clash in plan.clashes:
            partners = ", ".join(clash.partners) or self.config.integration
            reason = f"conflicts with {partners} in {', '.join(clash.paths)}"
            found.append(change(self.tasks[clash.task.id], state=State.CONFLICTED, reason=reason))
        return found

    def judge_of(self, base: Oid, name: str = "integration", *, recheck: bool = False) -> Judge:
        """Return who judges merged trees by the checks of `base`, in worktrees of this name."""
        from gitorch.flow.merge.trees import Judge

        tree = Task(id=TaskId(name), number=0, spec=TaskSpec(title="", prompt=""), commits=Commits(base))
        return Judge(self.means(), self.checks_for(tree), name=name, recheck=recheck)

    def _refuse_checked_out(self, branch: str) -> None:
        """Raise `Refused` when a worktree has this branch checked out: moving it would make that look dirty."""
        listing = self.repository.git("worktree", "list", "--porcelain", "-z").stdout.decode("utf-8", "surrogateescape")
        for entry in listing.split("\0\0"):
            lines = entry.split("\0")
            if f"branch {branch_ref(branch)}" in lines:
                where = lines[0].removeprefix("worktree ")
                raise Refused("checked-out", f"{branch} is checked out in {where}", fix=(f"git -C {where} switch -",))
