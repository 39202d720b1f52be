"""The course of an attempt: begun, prepared, worked on in rounds, brought home, checked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch.executors.base import tail_text
from gitorch.flow.attempt import briefing
from gitorch.flow.attempt.environment import Place, settle_in
from gitorch.flow.attempt.execution import brief_file, execute, execute_agent, stop_reason
from gitorch.flow.attempt.finish import (
    elapsed,
    end_failed,
    end_incomplete,
    end_stopped,
    finish,
    in_conflict_again,
    settled,
    stopped_or,
)
from gitorch.git import fence, worktrees
from gitorch.git.collect import Collected, NoChanges, Rejected, collect
from gitorch.model import brief, naming, note
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.outcome import Ending, Outcome
from gitorch.model.redact import redacted
from gitorch.model.roles import generalist
from gitorch.model.task import (
    Attempt,
    CheckResult,
    Commits,
    Phase,
    State,
    Task,
    base_of,
    change,
    change_attempt,
    commit_range,
    current_attempt,
)
from gitorch.replay import conflict_commit
from gitorch.rooms import environment
from gitorch.rooms.environment import CheckRun, Means
from gitorch.rooms.paths import worktree_path


def begin(means: Means, task: Task, base: Oid) -> Task:
    """Return the task with a new attempt that starts on `base`, or on its branch where that holds earlier work.

    The branch of an adopted task stays as it is: the attempt goes on from its tip on a branch of ours.
    """
    commits = task.commits if task.commits and task.commits.tip else Commits(base)
    number = task.attempts + 1
    new = Attempt(
        number=number, agent=task.spec.agent, base=commits.base, session=str(uuid.uuid4()), started=datetime.now(UTC)
    )
    if task.attempt is not None and _goes_on(means, task):
        last = task.attempt
        new = msgspec.structs.replace(new, session=last.session, resumed=True, session_usage=last.session_usage)
    return change(
        task,
        state=State.RUNNING,
        reason="",
        stale=task.stale and commits.tip is not None,
        branch=means.config.branch_of(task.id),
        worktree=str(worktree_path(means.repository, means.config, task.id)),
        commits=commits,
        results=(),
        wake=None,
        attempts=number,
        attempt=new,
        adopted=False,
    )


_CUT_OFF = (Ending.LIMITED, Ending.TRANSIENT, Ending.LOST, Ending.STOPPED)


def _goes_on(means: Means, task: Task) -> bool:
    """Tell whether the next attempt goes on in the session of the last one: it was cut off, and nobody asked anew."""
    last = task.attempt
    if (
        last is None
        or last.ending not in _CUT_OFF
        or task.comments
        or last.agent != task.spec.agent
        or task.commits is None
    ):
        return False
    return bool(last.session) and means.agents[means.config.agents[task.spec.agent].kind].resumable


def attempt(
    means: Means,
    task: Task,
    checks: Mapping[str, str],
    before: tuple[Task, ...] = (),
    opponents: tuple[Task, ...] = (),
) -> Iterator[Task]:
    """Carry a running task's attempt to its end, from wherever it stands; yield it each time that it changed.

    `checks` are the commands that judge the tree, `before` all tasks that it builds on, nearest first, `opponents`
    those that it is in conflict with. Ends with the task finished, failed, waiting, cancelled, back in the queue, or in
    conflict as before.
    """
    phase = current_attempt(task).phase
    if phase is Phase.ENDED and task.conflict is not None:
        yield in_conflict_again(means, task, task.conflict)
        return
    try:
        place = settle_in(means, task)
        if phase is Phase.PREPARING:
            found = place.worktree.git(means.repository, "rev-parse", "--verify", "HEAD").text
            task = change_attempt(task, start=Oid(found))
            if task.conflict is not None:
                conflict_commit.lay_out(means.repository, place.worktree, task.conflict.conflict_commit)
            environment.prepare(means, place.worktree, place.key, place.env)
            _write_brief(place, 1, brief_of(means, task, checks, before, opponents))
            task = change_attempt(task, phase=Phase.WORKING)
            yield task
        for changed in _work(means, task, place, checks):
            yield from settled(means, changed)
    except environment.Failed as failure:
        yield from settled(means, stopped_or(means, task, failure.reason))


def brief_of(
    means: Means, task: Task, checks: Mapping[str, str], before: Sequence[Task], opponents: Sequence[Task] = ()
) -> str:
    """Return what the agent of a task is told whose attempt has begun; `before` and `opponents` as in `attempt`."""
    if current_attempt(task).resumed:
        return brief.go_on_brief()
    role = means.roles.get(task.spec.role) or generalist()
    return briefing.compose(means.repository, task, role, checks, before, opponents)


def _write_brief(place: Place, number: int, text: str) -> None:
    brief_file(place.folder, number).write_bytes(text.encode())


def _work(means: Means, task: Task, place: Place, checks: Mapping[str, str]) -> Iterator[Task]:
    """Let the agent work, bring its commits home, check them; send failing checks back as often as allowed."""
    while True:
        number = current_attempt(task).round
        # what was brought home before a crash is not collected again: the worktree may hold what checks left there
        if current_attempt(task).phase is Phase.WORKING:
            task = _let_work(means, task, place)
            if current_attempt(task).phase is not Phase.CHECKING:
                yield task
                return
            if checks:
                yield task
        runs = _check(means, task, place, checks)
        task = change(task, results=tuple(run.result for run in runs))
        if stop := stop_reason(place.folder):
            yield end_stopped(means, task, stop)
            return
        if task.passed is not False or not _may_fix(means, place, number):
            yield finish(means, task)
            return
        _tidy(means, task, place)
        _write_brief(place, number + 1, brief.fix_brief(_failed_with_output(means, runs)))
        task = change_attempt(task, phase=Phase.WORKING, round=number + 1)
        yield task


def _let_work(means: Means, task: Task, place: Place) -> Task:
    """Carry one round of the agent to its end; return the task with its commits at home, or ended."""
    outcome = execute_agent(means, task, place, current_attempt(task).round)
    task = _account(task, place, outcome)
    home = _bring_home(means, task, place, outcome)
    if isinstance(home, Collected):
        task = change(task, commits=Commits(base_of(task), home.tip))
    ended = _ended_early(means, task, place, outcome, home)
    return ended or change_attempt(task, phase=Phase.CHECKING)


def _check(means: Means, task: Task, place: Place, checks: Mapping[str, str]) -> tuple[CheckRun, ...]:
    if not checks:
        return ()
    _, tip = commit_range(task)
    return environment.run_checks(
        means,
        checks,
        means.repository.tree(tip),
        place.worktree.path,
        f"{place.key}/check-{current_attempt(task).round}",
        place.env,
        lambda spec: execute(means, place, spec),
    )


def _account(task: Task, place: Place, outcome: Outcome) -> Task:
    """Add what an execution consumed and said to its attempt."""
    last, told = current_attempt(task), outcome.usage
    spent = told
    if told and place.agent.usage_is_cumulative and last.session_usage:
        spent = told - last.session_usage
    if spent and last.usage:
        spent = last.usage + spent
    return change_attempt(
        task,
        session=outcome.session or last.session,
        ending=outcome.ending,
        summary=redacted(outcome.summary)[: note.LONGEST],
        usage=spent or last.usage,
        session_usage=told or last.session_usage,
        denials=(*last.denials, *outcome.denials),
        alarms=fence.refusals(place.folder / "alarms"),
        seconds=elapsed(task),
    )


def _bring_home(means: Means, task: Task, place: Place, outcome: Outcome) -> Collected | NoChanges | Rejected:
    who = f"{task.title}\n\nTask: {task.id}\nAgent: {task.spec.agent}\n"
    message = who if outcome.ending is Ending.COMPLETED else f"WIP: {who}"
    branch = branch_ref(task.branch)
    return collect(means.repository, place.worktree, branch=branch, base=base_of(task), message=message)


def _ended_early(means: Means, task: Task, place: Place, outcome: Outcome, home: object) -> Task | None:
    """Return the task's end when there is nothing to check: the agent did not complete, or its work was not taken."""
    if stop := stop_reason(place.folder):
        return end_stopped(means, task, stop)
    if outcome.ending is not Ending.COMPLETED:
        return end_incomplete(means, task, outcome)
    if isinstance(home, NoChanges) or (isinstance(home, Collected) and _added_nothing(task, home)):
        return end_failed(means, task, "no changes")
    if isinstance(home, Rejected):
        return end_failed(means, task, home.reason)
    left = (
        conflict_commit.unsolved(means.repository, task.conflict.conflict_commit, task.tip)
        if task.conflict and task.tip
        else []
    )
    return end_failed(means, task, f"conflict markers are left in {', '.join(left)}") if left else None


def _added_nothing(task: Task, home: Collected) -> bool:
    """Tell whether an attempt that was sent back left its branch as it was. One that was cut off may have been done."""
    last = task.attempt
    return last is not None and home.tip == last.start and not last.resumed and last.round == 1


def _may_fix(means: Means, place: Place, number: int) -> bool:
    return place.agent.resumable and number <= means.config.run.fix_checks


def _failed_with_output(means: Means, runs: Sequence[CheckRun]) -> list[tuple[CheckResult, str]]:
    failed = [run for run in runs if not run.result.passed]
    return [(run.result, tail_text(means.executor, run.execution, "stdout")) for run in failed]


def _tidy(means: Means, task: Task, place: Place) -> None:
    """Take away what checks left in the worktree, so that the agent's next commit does not hold it. A copy is kept."""
    if not worktrees.dirt(means.repository, place.worktree).paths:
        return
    worktrees.rescue(
        means.repository, place.worktree, naming.rescue_ref(task.id), f"files that checks of {task.id} left"
    )
    worktrees.restore(means.repository, place.worktree)
