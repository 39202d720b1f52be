"""One attempt, from its base to its checked tip.

`attempt` is a generator: it yields the task each time that it changed, and goes on when the change is durable. Every
step can be done again: when the orchestrator was killed, the same call on the stored task goes on where it stopped,
adopting what still runs.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gitorch import briefing, workshop
from gitorch.agents.protocol import Agent, Request
from gitorch.config import AgentSettings, seconds
from gitorch.errors import GitorchError
from gitorch.executors.local import Spec
from gitorch.git import fence, standoff, worktrees
from gitorch.git.collect import Collected, NoChanges, Rejected, collect
from gitorch.git.repository import RefMove, Repository
from gitorch.git.worktrees import Worktree
from gitorch.model import brief, naming, note
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.outcome import Ending, Exit, Outcome
from gitorch.model.redact import redacted
from gitorch.model.roles import GENERALIST, Role
from gitorch.model.task import Attempt, CheckResult, Phase, State, Task, change, change_attempt
from gitorch.workshop import Means

INTERRUPTED = "interrupted"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one attempt happens."""

    folder: Path
    worktree: Worktree
    settings: AgentSettings
    agent: Agent
    env: Mapping[str, str]


def attempt_folder(state: Path, task: Task, number: int | None = None) -> Path:
    """Return the folder of an attempt's executions."""
    return state / "attempts" / task.id / str(number or task.attempts)


def begin(means: Means, task: Task, base: Oid) -> Task:
    """Return the task with a new attempt that starts on `base`, or on its branch where that holds earlier work.

    The branch of an adopted task stays as it is: the attempt goes on from its tip on a branch of ours.
    """
    continued = task.base is not None and task.tip is not None
    number = task.attempts + 1
    start = task.base if continued else base
    new = Attempt(number=number, agent=task.agent, base=start, session=str(uuid.uuid4()), started=datetime.now(UTC))
    if task.attempt is not None and _goes_on(means, task):
        last = task.attempt
        new = msgspec.structs.replace(new, session=last.session, resumed=True, session_usage=last.session_usage)
    return change(
        task,
        state=State.RUNNING,
        reason="",
        stale=continued and task.stale,
        branch=means.config.branch_of(task.id),
        worktree=str(workshop.worktree_path(means.repository, means.config, task.id)),
        base=start,
        tip=task.tip if continued else None,
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
    if last is None or last.ending not in _CUT_OFF or task.comments or last.agent != task.agent or task.base is None:
        return False
    return bool(last.session) and means.agents[means.config.agents[task.agent].kind].resumable


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
    assert task.attempt is not None
    if task.attempt.phase is Phase.ENDED:
        yield in_conflict_again(means, task)
        return
    try:
        place = _settle_in(means, task)
        if task.attempt.phase is Phase.PREPARING:
            found = place.worktree.git(means.repository, "rev-parse", "--verify", "HEAD").text
            task = change_attempt(task, start=Oid(found))
            if task.standoff is not None:
                standoff.lay_out(means.repository, place.worktree, task.standoff)
            workshop.prepare(means, place.worktree, place.folder, place.env)
            _write_brief(place.folder / "agent-1", brief_of(means, task, checks, before, opponents))
            task = change_attempt(task, phase=Phase.WORKING)
            yield task
        for changed in _work(means, task, place, checks):
            yield from _settled(means, changed)
    except workshop.Failed as failure:
        yield from _settled(means, _stopped_or(means, task, failure.reason))


def _settled(means: Means, task: Task) -> Iterator[Task]:
    """Yield a task as an attempt leaves it; where a conflict was to be solved and is not, in conflict as before."""
    if task.state is not State.FAILED or task.contested is None:
        yield task
        return
    # how it ended is durable before its traces go: what comes after can be done again
    yield msgspec.structs.replace(task, state=State.RUNNING)
    yield in_conflict_again(means, task)


def in_conflict_again(means: Means, task: Task) -> Task:
    """Return a task as it was before an attempt to solve its conflict, with its branch, and what that attempt did."""
    assert task.contested is not None
    before, place = task.contested, worktrees.find(means.repository, Path(task.worktree))
    standoff.give_up(means.repository, place, task.id, task.attempts, task.branch, before.tip)
    return msgspec.structs.replace(
        task,
        state=State.CONFLICTED,
        reason=f"{before.reason}; attempt {task.attempts} did not solve it: {task.reason}",
        base=before.base,
        tip=before.tip,
        results=before.results,
        standoff=None,
        contested=None,
        tried=before.about,
        retried=0,
        wake=None,
    )


def _settle_in(means: Means, task: Task) -> Place:
    """Make the worktree, or find it again."""
    assert task.attempt is not None
    path = Path(task.worktree)
    folder = attempt_folder(means.folder, task)
    if task.attempt.phase is Phase.PREPARING:
        _end_preparations(means, folder)
        worktree = _fresh_worktree(means, task, path)
    else:
        found = worktrees.find(means.repository, path)
        if found is None:
            raise workshop.Failed(f"its worktree {path} is gone; its branch is kept")
        worktree = found
    folder.mkdir(parents=True, exist_ok=True)
    settings = _suited(means.config.agents[task.attempt.agent], means.roles.get(task.role, GENERALIST))
    agent = means.agents[settings.kind]
    env = _environment(means, task, worktree, folder)
    return Place(folder=folder, worktree=worktree, settings=settings, agent=agent, env=env)


def _suited(settings: AgentSettings, role: Role) -> AgentSettings:
    """Return an agent's settings with the model that a role asks for, where the user has chosen none."""
    if settings.kind != "claude" or settings.model or not role.model:
        return settings
    return msgspec.structs.replace(settings, model=role.model)


def _end_preparations(means: Means, folder: Path) -> None:
    """End what an orchestrator that was killed had begun to prepare: it is all done again."""
    for handle in means.executor.adopt(folder):
        means.executor.cancel(handle, "prepared again", now=True)
        means.executor.wait(handle)


def _fresh_worktree(means: Means, task: Task, path: Path) -> Worktree:
    """Bring the branch and its worktree to where the attempt starts; keep what an earlier attempt made."""
    assert task.base is not None
    repository, ref = means.repository, branch_ref(task.branch)
    at = repository.at(ref)
    start = task.tip or task.base
    if at is not None and task.tip is not None and repository.is_ancestor(task.tip, at):
        start = at  # a person went on with the branch by hand
    if at is None:
        repository.move([RefMove(ref, start, None)], f"start {task.id}")
    elif task.attempts == 1 and at != start:
        raise workshop.Failed(f"a branch {task.branch} exists already, and is not this task's")
    worktree = worktrees.find(repository, path)
    if worktree is not None and (task.attempts > 1 or _is_whole(worktree)):
        worktrees.unlock(repository, worktree, ref)
        worktrees.rescue(repository, worktree, naming.rescue_ref(task.id), f"uncommitted files of {task.id}")
        _keep_earlier(repository, task, at)
        worktrees.restore(repository, worktree, branch=task.branch, commit=start)
        return worktree
    if worktree is not None:
        worktrees.discard_half_made(repository, path)
    _keep_earlier(repository, task, at)
    if at is not None and at != start:
        repository.move([RefMove(ref, start, at)], f"start {task.id} afresh")
    return worktrees.add(repository, path, task.branch, f"gitorch {task.id}", new=at is None)


def _is_whole(worktree: Worktree) -> bool:
    return (worktree.admin / "index").exists() and not (worktree.admin / "index.lock").exists()


def _keep_earlier(repository: Repository, task: Task, tip: Oid | None) -> None:
    """Keep the tip of the attempt before under its own ref."""
    if tip is None or task.attempts < 2:
        return
    ref = naming.attempt_ref(task.id, task.attempts - 1)
    if repository.at(ref) is None:
        repository.move([RefMove(ref, tip, None)], f"keep attempt {task.attempts - 1} of {task.id}")


def _environment(means: Means, task: Task, worktree: Worktree, folder: Path) -> dict[str, str]:
    """Return the environment of an attempt's programs: an allow-list, and the fence of its git."""
    fenced = fence.environment(
        hooks=fence.hooks_folder(),
        user_hooks=fence.user_hooks(means.repository, worktree.path),
        git_dir=worktree.admin,
        common_dir=means.repository.common_dir,
        branch=branch_ref(task.branch),
        task=task.id,
        agent=task.agent,
        alarm=folder / "alarms",
    )
    given = workshop.variables(means.config, means.folder, task.id)
    env = means.repository.identity() | workshop.agent_environment(means, task.agent) | fenced | given
    return workshop.with_program(env, folder / "bin")


def brief_of(
    means: Means, task: Task, checks: Mapping[str, str], before: Sequence[Task], opponents: Sequence[Task] = ()
) -> str:
    """Return what the agent of a task is told whose attempt has begun; `before` and `opponents` as in `attempt`."""
    assert task.attempt is not None
    if task.attempt.resumed:
        return brief.go_on_brief()
    role = means.roles.get(task.role, GENERALIST)
    return briefing.compose(means.repository, task, role, checks, before, opponents)


def _write_brief(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prompt.md").write_bytes(text.encode())


def _work(means: Means, task: Task, place: Place, checks: Mapping[str, str]) -> Iterator[Task]:
    """Let the agent work, bring its commits home, check them; send failing checks back as often as allowed."""
    while True:
        assert task.attempt is not None
        number = task.attempt.round
        # what was brought home before a crash is not collected again: the worktree may hold what checks left there
        if task.attempt.phase is Phase.WORKING:
            task = _let_work(means, task, place)
            if task.attempt is None or task.attempt.phase is not Phase.CHECKING:
                yield task
                return
            if checks:
                yield task
        task = change(task, results=_judge(means, task, place, checks))
        if stop := _stop_reason(place.folder):
            yield _end_stopped(means, task, stop)
            return
        if task.passed is not False or not _may_fix(means, place, number):
            yield _finish(means, task)
            return
        _tidy(means, task, place)
        _write_brief(place.folder / f"agent-{number + 1}", brief.fix_brief(_failed_with_output(task.results)))
        task = change_attempt(task, phase=Phase.WORKING, round=number + 1)
        yield task


def _let_work(means: Means, task: Task, place: Place) -> Task:
    """Carry one round of the agent to its end; return the task with its commits at home, or ended."""
    assert task.attempt is not None
    outcome = _execute_agent(means, task, place, task.attempt.round)
    task = _account(task, place, outcome)
    home = _bring_home(means, task, place, outcome)
    if isinstance(home, Collected):
        task = change(task, tip=home.tip)
    ended = _ended_early(means, task, place, outcome, home)
    return ended or change_attempt(task, phase=Phase.CHECKING)


def _judge(means: Means, task: Task, place: Place, checks: Mapping[str, str]) -> tuple[CheckResult, ...]:
    if not checks:
        return ()
    assert task.attempt is not None
    assert task.tip is not None
    return workshop.judge(
        means,
        checks,
        means.repository.tree(task.tip),
        place.worktree.path,
        place.folder / f"check-{task.attempt.round}",
        place.env,
        lambda spec: _execute(means, place, spec),
    )


def _execute_agent(means: Means, task: Task, place: Place, number: int) -> Outcome:
    """Run (or find again) one execution of the agent, and read how it ended."""
    assert task.attempt is not None
    folder = place.folder / f"agent-{number}"
    request = Request(
        task=task.id,
        worktree=place.worktree.path,
        common_dir=means.repository.common_dir,
        folder=folder,
        prompt_file=folder / "prompt.md",
        session=task.attempt.session,
        resume=number > 1 or task.attempt.resumed,
        budget=task.budget,
    )
    launch = place.agent.launch(place.settings, request)
    ended = _execute(
        means,
        place,
        Spec(
            folder=folder,
            argv=launch.argv,
            cwd=place.worktree.path,
            env={**place.env, **launch.env},
            stdin=launch.stdin,
            timeout=task.timeout or seconds(means.config.run.task_timeout),
            idle=seconds(means.config.run.idle_timeout),
        ),
    )
    if ended.cause == "failed-to-start":
        return Outcome(ending=Ending.FAILED, reason=f"could not start: {ended.message}")
    with (folder / "stdout").open("rb") if (folder / "stdout").exists() else Path(os.devnull).open("rb") as lines:
        outcome = place.agent.outcome(lines, _tail(folder / "stderr"), ended)
    return _with_clock(outcome, ended)


def _with_clock(outcome: Outcome, ended: Exit) -> Outcome:
    """Name the clock that ended an execution, in the place of whatever the agent said of it."""
    reasons = {"timeout": "timed out", "idle": "stuck: no output and no processor time", "stopped": ended.message}
    if ended.cause in reasons and outcome.ending is not Ending.COMPLETED:
        return msgspec.structs.replace(outcome, ending=Ending.STOPPED, reason=reasons[ended.cause])
    return outcome


def _execute(means: Means, place: Place, spec: Spec) -> Exit:
    """Run a program under supervision, unless the attempt was asked to stop before."""
    stop = _stop_reason(place.folder)
    if stop and not (spec.folder / "run.json").exists():
        return Exit(cause="stopped", message=stop)
    handle = means.executor.submit(spec)
    if stop := _stop_reason(place.folder):
        means.executor.cancel(handle, stop)
    ended = means.executor.wait(handle)
    return ended if isinstance(ended, Exit) else Exit(cause="lost", message="its supervisor did not start")


def _tail(path: Path, size: int = 20_000) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", "replace")


def _account(task: Task, place: Place, outcome: Outcome) -> Task:
    """Add what an execution consumed and said to its attempt."""
    assert task.attempt is not None
    last, told = task.attempt, outcome.usage
    spent = told
    if told and place.agent.usage_is_cumulative and last.session_usage:
        spent = told - last.session_usage
    if spent and last.usage:
        spent = last.usage + spent
    return change_attempt(
        task,
        session=outcome.session or task.attempt.session,
        ending=outcome.ending,
        summary=redacted(outcome.summary)[: note.LONGEST],
        usage=spent or last.usage,
        session_usage=told or last.session_usage,
        denials=(*last.denials, *outcome.denials),
        alarms=fence.refusals(place.folder / "alarms"),
        seconds=_elapsed(task),
    )


def _elapsed(task: Task) -> float:
    assert task.attempt is not None
    assert task.attempt.started is not None
    return round((datetime.now(UTC) - task.attempt.started).total_seconds(), 3)


def _bring_home(means: Means, task: Task, place: Place, outcome: Outcome) -> Collected | NoChanges | Rejected:
    assert task.base is not None
    who = f"{task.title}\n\nTask: {task.id}\nAgent: {task.agent}\n"
    message = who if outcome.ending is Ending.COMPLETED else f"WIP: {who}"
    branch = branch_ref(task.branch)
    return collect(means.repository, place.worktree, branch=branch, base=task.base, message=message)


def _ended_early(means: Means, task: Task, place: Place, outcome: Outcome, home: object) -> Task | None:
    """Return the task's end when there is nothing to check: the agent did not complete, or its work was not taken."""
    if stop := _stop_reason(place.folder):
        return _end_stopped(means, task, stop)
    if outcome.ending is not Ending.COMPLETED:
        return _end_incomplete(means, task, outcome)
    if isinstance(home, NoChanges) or (isinstance(home, Collected) and _added_nothing(task, home)):
        return _end_failed(means, task, "no changes")
    if isinstance(home, Rejected):
        return _end_failed(means, task, home.reason)
    left = standoff.unsolved(means.repository, task.standoff, task.tip) if task.standoff and task.tip else []
    return _end_failed(means, task, f"conflict markers are left in {', '.join(left)}") if left else None


def _added_nothing(task: Task, home: Collected) -> bool:
    """Tell whether an attempt that was sent back left its branch as it was. One that was cut off may have been done."""
    last = task.attempt
    return last is not None and home.tip == last.start and not last.resumed and last.round == 1


def _end_incomplete(means: Means, task: Task, outcome: Outcome) -> Task:
    reason = redacted(outcome.reason) or str(outcome.ending)
    if outcome.ending is Ending.LIMITED and means.config.run.rate_limits == "wait":
        wake = datetime.fromtimestamp(outcome.resets_at, UTC) if outcome.resets_at else _later(task)
        said = f"{reason}; goes on at {wake:%Y-%m-%d %H:%M} UTC"
        return _end(means, task, state=State.WAITING, reason=said, wake=wake)
    if outcome.ending is Ending.UNAUTHENTICATED:
        return _end(means, task, state=State.QUEUED, reason=f"{task.agent} is not logged in: {reason}")
    crashed = outcome.ending in (Ending.TRANSIENT, Ending.LOST)
    if crashed and task.retried < means.config.run.retries:
        return _end(means, task, state=State.QUEUED, reason=f"again after: {reason}", retried=task.retried + 1)
    return _end_failed(means, task, reason)


def _later(task: Task) -> datetime:
    """Return when to ask again where a limit's end is not told: after 5 minutes, then 10, 20, at most an hour."""
    return datetime.now(UTC) + timedelta(minutes=min(60, 5 * 2 ** max(0, task.attempts - 1)))


def _may_fix(means: Means, place: Place, number: int) -> bool:
    return place.agent.resumable and number <= means.config.run.fix_checks


def _failed_with_output(results: tuple[CheckResult, ...]) -> list[tuple[CheckResult, str]]:
    return [(result, _tail(Path(result.output))) for result in results if not result.passed]


def _tidy(means: Means, task: Task, place: Place) -> None:
    """Take away what checks left in the worktree, so that the agent's next commit does not hold it. A copy is kept."""
    if not worktrees.dirt(means.repository, place.worktree).paths:
        return
    worktrees.rescue(
        means.repository, place.worktree, naming.rescue_ref(task.id), f"files that checks of {task.id} left"
    )
    worktrees.restore(means.repository, place.worktree)


def _stop_reason(folder: Path) -> str:
    """Return why this attempt was asked to stop; empty when it was not."""
    try:
        return (folder / "stop").read_text("utf-8")
    except FileNotFoundError:
        return ""


def ask_to_stop(means: Means, task: Task, reason: str, *, now: bool = False) -> None:
    """Ask a running attempt to end, from any process: nothing new of it starts, what runs is stopped."""
    folder = attempt_folder(means.folder, task)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stop").write_text(reason, "utf-8")
    for handle in means.executor.adopt(folder):
        means.executor.cancel(handle, reason, now=now)


def _stopped_or(means: Means, task: Task, reason: str) -> Task:
    stop = _stop_reason(attempt_folder(means.folder, task))
    return _end_stopped(means, task, stop) if stop else _end_failed(means, task, reason)


def _end_stopped(means: Means, task: Task, stop: str) -> Task:
    if stop == INTERRUPTED:
        return _end(means, task, state=State.QUEUED, reason="interrupted; its work is on its branch")
    return _end(means, task, state=State.CANCELLED, reason=stop)


def _end_failed(means: Means, task: Task, reason: str) -> Task:
    return _end(means, task, state=State.FAILED, reason=reason)


def _finish(means: Means, task: Task) -> Task:
    failed = [result.name for result in task.results if not result.passed]
    reason = f"checks failed: {', '.join(failed)}" if failed else ""
    return _end(means, task, state=State.FINISHED, reason=reason, comments=(), retried=0, standoff=None, contested=None)


def _end(means: Means, task: Task, **fields: Any) -> Task:
    task = change(change_attempt(task, phase=Phase.ENDED, seconds=_elapsed(task)), **fields)
    if task.tip is not None:
        files = briefing.changed_files(means.repository, task)
        lines = [note.attempt_line(task, files), *(note.check_line(result) for result in task.results)]
        # the note comes first, then the task's state: a crash between the two notes it once
        means.notebook.append(task.tip, lines)
    return task


def failed_by(means: Means, task: Task, error: GitorchError) -> Task:
    """Return a running task as failed by an error that its attempt met.

    Where it was to solve a conflict, the task is in conflict again; where that fails, too, the next run sees to it.
    """
    why = f": {error.why}" if error.why else ""
    failed = change(task, state=State.FAILED, reason=redacted(f"{error.what}{why}"))
    if failed.contested is None:
        return failed
    try:
        return in_conflict_again(means, failed)
    except GitorchError:
        return failed
