"""Review finished tasks: approve, comment, send back, reject.

A verdict is bound to a tip: `require_seen` refuses to approve commits that the reviewer was not shown, and
`_record_verdict` notes the verdict on the tip itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gitorch import services
from gitorch.errors import InvalidInput, Refused
from gitorch.flow import review
from gitorch.flow.review import BranchFacts, ReviewCard
from gitorch.model import branch_state as branch_state_model, graph, note, rivals
from gitorch.model.branch_state import BranchState
from gitorch.model.forecasts.conflict_forecast import Conflict, RemovedName, conflicts_of, without_rewritten
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.resolution import Resolution
from gitorch.model.task import BeforeQuestions, Comment, State, Task, by_id, change, commit_range
from gitorch.services import people_only
from gitorch.services.added_credentials import credential_problem, require_no_credentials
from gitorch.services.branches.branch_facts import branch_facts
from gitorch.services.branches.branch_tips import branch_state, branch_states, is_shown
from gitorch.services.branches.stale import mark_dependents_stale, with_stale_dependents
from gitorch.services.change_watch import acknowledgement
from gitorch.services.changes import change_tasks, change_with_notes
from gitorch.services.configured_checks import checks_for
from gitorch.services.merging.forecast_record import current_resolutions, saved_conflicts, saved_names
from gitorch.services.resume import answered
from gitorch.services.reviewing.comments import SENT_BACK
from gitorch.services.reviewing.rivals import Dropped, dropped_by
from gitorch.services.reviewing.second_look import verdict_patches
from gitorch.services.workspace import Workspace
from gitorch.storage.foreign_changes import ForeignChange
from gitorch.storage.operations import describe
from gitorch.storage.tasks import Pair


def review_card(workspace: Workspace, task: Task) -> ReviewCard:
    """Return the review card of a task, with its branch as it is. Raises `Refused` if it has no commits."""
    if task.tip is None:
        raise Refused(
            "no-commits", f"{task.id} has no commits yet", why=task.full_reason, fix=(f"orchestrate log {task.id}",)
        )
    state = branch_state(workspace, task)
    return _card(workspace, state, _board(workspace, [state]))


def cards_in_order(workspace: Workspace, states: Iterable[BranchState] | None = None) -> list[ReviewCard]:
    """Return the cards of all tasks that need a verdict: first those that unlock others, then the riskiest.

    These are the finished ones, and those in conflict or approved whose branch a person has changed. `states` are the
    branches of all tasks, where they have been read already.
    """
    if states is None:
        states = branch_states(workspace, workspace.tasks.values()).values()
    states = [state for state in states if state.task.tip and needs_verdict(state)]
    board = _board(workspace, states)
    return review.in_review_order([_card(workspace, state, board) for state in states])


def needs_verdict(state: BranchState) -> bool:
    """Return whether a task waits for a verdict: it is finished, or changed by hand while in conflict or approved."""
    match state.task.state:
        case State.FINISHED:
            return True
        case State.CONFLICTED:
            return bool(state.later) or state.is_rewritten
        case _:
            return state.task.state is State.APPROVED and state.unseen is not None


class _Board(msgspec.Struct, frozen=True, kw_only=True):
    """What the cards of many tasks are made from, read once."""

    foreign_changes: list[ForeignChange]
    conflicts: tuple[Conflict, ...]
    removed_names: tuple[RemovedName, ...]
    resolutions: tuple[Resolution, ...]
    unlocks: dict[TaskId, list[TaskId]]
    integration: Oid | None
    facts: dict[tuple[Oid, Oid], BranchFacts]


def _board(workspace: Workspace, states: Sequence[BranchState]) -> _Board:
    tasks = workspace.tasks
    names = [state.task.id for state in states if needs_verdict(state)]
    return _Board(
        foreign_changes=acknowledgement.unacknowledged(workspace),
        conflicts=without_rewritten(saved_conflicts(workspace), states),
        removed_names=saved_names(workspace),
        resolutions=current_resolutions(workspace),
        unlocks=graph.unlocked(names, tasks),
        integration=workspace.repository.object_ids(branch_ref(workspace.config.integration))[0],
        facts=branch_facts(workspace, [commit_range(state.task) for state in states]),
    )


def _card(workspace: Workspace, state: BranchState, board: _Board) -> ReviewCard:
    name, tasks = state.task.id, workspace.tasks
    changes = dict.fromkeys(change.what for change in board.foreign_changes if name in change.tasks)
    conflicts = conflicts_of(board.conflicts, name)
    unlocks = board.unlocks.get(name, [])
    unapproved = [
        after
        for after in state.task.spec.after
        if after in tasks and tasks[after].state not in (State.APPROVED, State.MERGED)
    ]
    card = review.card(
        workspace.repository,
        workspace.config,
        state,
        board.facts[commit_range(state.task)],
        [*changes],
        conflicts,
        unlocks,
        unapproved,
        board.integration,
        board.removed_names,
    )
    resolutions = tuple(entry for entry in board.resolutions if entry.task == name)
    card = msgspec.structs.replace(card, resolutions=resolutions)
    if state.task.spec.rival is None:
        return card
    group = rivals.rivals_of(state.task, {**tasks, name: state.task}.values())
    return msgspec.structs.replace(card, rivals=tuple(group))


def approvable(workspace: Workspace, *, force: bool = False) -> tuple[list[Task], list[tuple[Task, str]]]:
    """Return the finished tasks that can be approved together, and those that are held, each with the reason."""
    contenders = rivals.contenders(workspace.tasks)
    finished = [task for task in contenders.values() if task.state is State.FINISHED]
    held = [] if force else [(task, "fails its checks") for task in finished if task.passed is False]
    passing = [task for task in finished if force or task.passed is not False]
    states = branch_states(workspace, passing)
    for task in passing:
        state = states[task.id]
        if unfinished := rivals.at_work(rivals.rivals_of(task, workspace.tasks.values())):
            held.append((task, f"has rivals that have not ended ({unfinished[0].id})"))
        elif _lost_tip(workspace, state.task):
            held.append((task, "has no branch any more"))
        elif _is_empty(state.task):
            held.append((task, "has no commits of its own"))
        elif not is_shown(workspace, state):
            held.append((task, "has changed since you last saw it"))
        elif not force and workspace.config.review.require_checks and is_unchecked(workspace, state):
            held.append((task, f"has not been checked{' since it was changed' if state.unseen else ''}"))
        elif not force and (problem := credential_problem(workspace, state.task)):
            held.append((task, problem))
    names = {task.id for task, _ in held}
    return [task for task in finished if task.id not in names], held


def is_unchecked(workspace: Workspace, state: BranchState) -> bool:
    """Return whether checks are configured that have not run on a branch's tip."""
    return not state.task.results and bool(checks_for(workspace, state.task))


def approve(
    workspace: Workspace, tasks: Sequence[Task], reviewer: str, *, force: bool = False, comment: str = ""
) -> list[Task]:
    """Accept tasks for merging, and return all that changed: the rivals of a picked task are rejected.

    Failing checks, added credentials and commits that are too large to be searched for them are refused, unless forced.
    """
    people_only.require_person("approve")
    merged = [task for task in tasks if task.state is State.MERGED]
    tasks = [*by_id(task for task in tasks if task not in merged).values()]
    states = [*branch_states(workspace, tasks).values()]
    for state in states:
        require_seen(workspace, state)
    current = [_approvable(workspace, state) for state in states]
    for task in current:
        if workspace.config.review.require_checks and not force:
            _require_checks(workspace, task)
        if not force:
            require_no_credentials(workspace, task)
    approved = [change(task, state=State.APPROVED, reason="") for task in current]
    comments = (Comment(text=comment),) if comment else ()
    dropped = dropped_by(workspace, current, reviewer)
    pairs = [*zip(tasks, approved, strict=True), *dropped.pairs]
    all_pairs = with_stale_dependents(workspace, pairs)
    changed = _record_verdict(workspace, "approve", all_pairs, [*current, *merged], reviewer, comments, dropped)
    services.restack.follow(workspace, [task.id for task in current])
    return [*changed[: len(pairs)], *merged]


def revise(workspace: Workspace, task: Task, reviewer: str, comments: Sequence[Comment]) -> Task:
    """Send a task back: the next attempt continues on its branch and gets the comments.

    For a task that asked a question, the comments are the answer. If all comments are questions, the next attempt
    answers them and changes nothing.
    """
    people_only.require_person("send work back")
    if task.question and comments:
        answer = answered(workspace, task, "\n\n".join(comment.text for comment in comments))
        return change_tasks(workspace, "resume", [(task, answer)], f"resume {task.id}")[0]
    all_comments = (*task.comments, *comments)
    if not all_comments:
        raise InvalidInput(
            "no-comment", "say what should be different", fix=(f'orchestrate revise {task.id} -m "..."',)
        )
    if _is_asked_only(task, all_comments):
        return _ask(workspace, task, reviewer, all_comments)
    revised = change(
        task, state=State.QUEUED, reason=SENT_BACK, comments=all_comments, retried=0, before_questions=None
    )
    pairs = [(task, revised), *mark_dependents_stale(workspace, task)]
    return _record_verdict(workspace, "revise", pairs, [task], reviewer, all_comments)[0]


def _is_asked_only(task: Task, comments: Sequence[Comment]) -> bool:
    is_worked_on = task.tip is not None and task.state not in (State.MERGED, State.RUNNING, State.WAITING)
    is_open = task.state is not State.QUEUED or task.before_questions is not None
    return is_worked_on and is_open and all(comment.is_question for comment in comments)


def _ask(workspace: Workspace, task: Task, reviewer: str, questions: tuple[Comment, ...]) -> Task:
    """Queue a task so that its agent answers questions; then it is what it was, with its verdict open."""
    is_approved = task.state is State.APPROVED
    before = BeforeQuestions(
        state=State.FINISHED if is_approved else task.state,
        reason="" if is_approved else task.reason,
        reason_kind=None if is_approved else task.reason_kind,
    )
    asked = change(
        task,
        state=State.QUEUED,
        reason="",
        comments=questions,
        retried=0,
        before_questions=task.before_questions or before,
    )
    return _record_verdict(workspace, "ask", [(task, asked)], [task], reviewer, questions)[0]


def reject(workspace: Workspace, task: Task, reviewer: str, comment: str = "") -> Task:
    """Drop a task. Its branch is kept."""
    people_only.require_person("reject work")
    rejected = change(task, state=State.REJECTED, reason=comment)
    pairs = [(task, rejected), *mark_dependents_stale(workspace, task)]
    comments = (Comment(text=comment),) if comment else ()
    return _record_verdict(workspace, "reject", pairs, [task], reviewer, comments)[0]


def _require_checks(workspace: Workspace, task: Task) -> None:
    """Raise `Refused` if a check fails, or if checks are configured and have not run on this tree."""
    failing = ", ".join(result.name for result in task.results if not result.passed)
    unchecked = task.tip is not None and not task.results and bool(checks_for(workspace, task))
    if failing or unchecked:
        raise Refused(
            "checks-failed",
            f"{task.id} does not pass its checks: {failing}"
            if failing
            else f"{task.id} has not been checked in its current state",
            fix=(
                f"orchestrate revise {task.id} -m ..." if failing else f"orchestrate check {task.id}",
                f"orchestrate approve {task.id} --force",
            ),
        )


def require_seen(workspace: Workspace, state: BranchState) -> None:
    """Raise `Refused` if a branch has commits that no review has shown."""
    task = state.task
    if not is_shown(workspace, state):
        raise Refused(
            "unseen-commits",
            f"{task.id} has changed since you last saw it",
            why=branch_state_model.describe(state),
            fix=(f"orchestrate review {task.id}", f"orchestrate diff {task.id}"),
        )


def _approvable(workspace: Workspace, state: BranchState) -> Task:
    """Return a task with the commits that an approval covers; raise `Refused` if its branch is gone or adds nothing."""
    task = state.task
    if lost := _lost_tip(workspace, task):
        raise Refused(
            "branch-moved",
            f"the branch of {task.id} does not exist any more",
            why=f"{task.branch} was at {lost[:12]}",
            fix=(f"git branch {task.branch} {lost[:12]}", f"orchestrate reject {task.id}"),
        )
    if _is_empty(task):
        raise Refused("no-commits", f"{task.branch} has no commits of its own", fix=(f"orchestrate reject {task.id}",))
    return task


def _lost_tip(workspace: Workspace, task: Task) -> Oid | None:
    """Return where a task's branch was that exists no more; None if it does, or never did."""
    is_there = not task.branch or workspace.repository.has_ref(branch_ref(task.branch))
    return None if is_there else task.tip


def _is_empty(task: Task) -> bool:
    return task.tip is not None and task.tip == task.base


def _record_verdict(
    workspace: Workspace,
    verdict: str,
    pairs: Sequence[Pair],
    reviewed: Sequence[Task],
    reviewer: str,
    comments: Sequence[Comment],
    dropped: Dropped = Dropped(),  # noqa: B008 (it is frozen)
) -> list[Task]:
    """Save changed tasks, and note the verdict on the tips of the reviewed ones; return the changed tasks."""
    lines: dict[Oid, list[note.Line]] = {}
    for task in reviewed:
        # note the verdict on an automatically merged task on its merged commit
        if commit := task.merged_as or task.tip:
            lines.setdefault(commit, []).append(note.verdict_line(task, verdict, reviewer, comments))
            lines[commit] += verdict_patches(workspace, task, verdict, reviewer)
    for tip, line in dropped.lines:
        lines.setdefault(tip, []).append(line)
    changed = change_with_notes(workspace, verdict, pairs, lines, describe(verdict, reviewed), dropped.moves)
    workspace.store.snapshot_if_due()
    return changed
