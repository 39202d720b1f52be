"""Plan a merge of approved tasks, check it, and publish it."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch import services
from gitorch.errors import ProofFailed, Refused
from gitorch.flow import merge
from gitorch.flow.merge import MergeConflict, MergePlan, MergeTarget, NoteLines, Progress, ReportProgress
from gitorch.git.notes import note_store
from gitorch.git.repository import GitFailed, RefsMoved
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import TaskId
from gitorch.model.task import ReasonKind, State, Task, by_id, change
from gitorch.model.visible import readable_list
from gitorch.replay import Conflicted, Replayer, hunks
from gitorch.replay.hunks import Hunk
from gitorch.services import people_only
from gitorch.services.branches.own_branches import integration_tip, refuse_checked_out
from gitorch.services.change_watch.outside_runs import watched_commands
from gitorch.services.changes import change_tasks, move_refs_and_states
from gitorch.services.configured_checks import checks_at
from gitorch.services.merging import merge_signing, remembered
from gitorch.services.merging.merge_base import (
    MergeInputs,
    blocked_by_base,
    merge_inputs,
    merged_commit_changes,
    rebase_integration,
    record_base,
    target_inputs,
)
from gitorch.services.merging.merge_into import find_target, nothing_merged, require_approved
from gitorch.services.recovery.operations import operation_lock
from gitorch.services.workspace import Workspace
from gitorch.storage.operations import StateChange, describe
from gitorch.storage.tasks import task_moved


def plan_merge(
    workspace: Workspace,
    replayer: Replayer,
    names: Sequence[TaskId] | None,
    skip: Sequence[TaskId] = (),
    into: str = "",
    report: ReportProgress = merge.ignore_progress,
) -> MergePlan:
    """Return the plan of a merge. Nothing is changed.

    `names` are the tasks to merge, None for all that are approved; `into` is the user branch that goes to the result.
    `report` is called with the progress.
    """
    tasks = workspace.tasks
    for name in names or ():
        if tasks[name].state is State.MERGED:
            raise Refused("already-merged", f"{name} is merged already", fix=(f"orchestrate task {name}",))
        if tasks[name].state not in merge.MERGEABLE:
            raise Refused(
                "not-approved", f"{name} is {tasks[name].state}, not approved", fix=(f"orchestrate approve {name}",)
            )
    selected = merge.choose(tasks, names, skip)
    target = find_target(workspace, into)
    if target is None:
        return plan_for(merge_inputs(workspace), replayer, selected, report=report)
    integration = integration_tip(workspace)
    require_approved(workspace, target, integration)
    return plan_for(target_inputs(workspace, integration, target), replayer, selected, target, report)


def plan_for(
    inputs: MergeInputs,
    replayer: Replayer,
    tasks: Sequence[Task],
    target: MergeTarget | None = None,
    report: ReportProgress = merge.ignore_progress,
) -> MergePlan:
    """Return the plan of a merge of these tasks, after replaying the integration branch on its base.

    The base is `target` if there is one; `inputs` then come from `target_inputs`. If the integration branch conflicts
    with its base, nothing goes in.
    """
    before, base_tip = inputs.merge_base
    integration = inputs.config.integration
    report(merge.Progress(f"replay {integration}", 0, 1))
    rebased = rebase_integration(inputs, replayer, target)
    onto = before or base_tip
    assert onto is not None  # before the first merge, reading the inputs has found the base or raised
    if isinstance(rebased, merge.Rebased):
        if isinstance(rebased.replayed, Conflicted):
            conflicted_plan = MergePlan(before=before, onto=onto, rebased=rebased, target=target)
            return msgspec.structs.replace(
                conflicted_plan, blocked=blocked_by_base(integration, conflicted_plan, tasks)
            )
        onto = rebased.replayed.tip
        replayer.keep(onto)
    plan = merge.plan(replayer, inputs.tasks, tasks, before, onto, report)
    return msgspec.structs.replace(plan, rebased=rebased, target=target)


def conflict_hunks(replayer: Replayer, conflict: MergeConflict) -> tuple[Hunk, ...]:
    """Return the hunks in which a task conflicts with the tasks before it."""
    if conflict.conflict is None:
        return ()
    try:
        return hunks.find_hunks(replayer, conflict.conflict)
    except GitFailed:
        return ()  # the hunks are only shown; the conflict with its paths is reported without them


def verify_merge(
    workspace: Workspace, replayer: Replayer, plan: MergePlan, verify: str, *, recheck: bool = False
) -> Generator[Progress, None, MergePlan]:
    """Check the trees that a plan would publish; return the plan of the steps that pass.

    With `recheck` the results of earlier commands do not count.
    """
    if plan.is_base_conflict:
        return plan
    checks = checks_at(workspace.repository, workspace.loaded, plan.onto)
    if verify == "never" or (not plan.steps and plan.target is None):
        return plan
    if not checks:
        return msgspec.structs.replace(plan, verify=verify) if plan.steps else plan
    with watched_commands(workspace) as watch:
        return (
            yield from services.merging.merge_checks.run_checks(
                workspace, replayer, plan, checks, verify, watch.start, recheck=recheck
            )
        )


def with_resolutions(plan: MergePlan, proposed: MergePlan) -> MergePlan:
    """Return a plan that publishes no resolution, and names those of another one, which would publish them."""
    return msgspec.structs.replace(plan, resolutions=proposed.resolutions)


def may_be_proven(plan: MergePlan) -> bool:
    """Return whether a resolution of what conflicts could be proven: all who meet in it need checks of their own."""
    tasks = by_id(step.task for step in plan.steps)
    return any(
        conflict.task.spec.checks and all(tasks[name].spec.checks for name in conflict.partners if name in tasks)
        for conflict in plan.conflicts
    )


def publish(workspace: Workspace, replayer: Replayer, plan: MergePlan, sign: bool | None = None) -> MergePlan:
    """Move the integration branch, the notes and the tasks to a plan's result, all or nothing.

    A person merges: `sign` says whether the commits are signed (None: as configured). Returns what was published.
    """
    replayer.keep(plan.tip)
    signed = merge_signing.sign(workspace, plan, sign, by_person=True)
    publish_stored(workspace, signed)
    return signed


def save_errors(workspace: Workspace, plan: MergePlan) -> None:
    """Save the tracebacks of tasks that a bug kept from being planned, and add a notice for each."""
    for blocked in plan.blocked:
        if blocked.error and blocked.error.traceback:
            path = workspace.folder / "crashes" / f"plan-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(redacted(blocked.error.traceback), "utf-8", "backslashreplace")
            workspace.store.notices.append(f"the traceback of {blocked.task.id} is in {path}")


def publish_stored(workspace: Workspace, plan: MergePlan, lines: NoteLines | None = None) -> None:
    """Publish a plan whose commits are already in the repository.

    `lines` are added to the notes of new commits.
    """
    people_only.require_person("merge")
    conflicted = [*_conflicted(workspace, plan), *_left_out(workspace, plan)]
    tasks, integration = workspace.tasks, workspace.config.integration
    if not plan.steps and (plan.target is None or plan.is_base_conflict):
        pairs = [(tasks[task.id], task) for task in conflicted]
        counts = ((len(plan.conflicts), "in conflict"), (len(pairs) - len(plan.conflicts), "left out"))
        change_tasks(workspace, "merge", pairs, f"merge: {', '.join(f'{n} {what}' for n, what in counts if n)}")
        return
    if not plan.steps and plan.before is None:
        raise nothing_merged(integration)
    if plan.tip != plan.before:
        refuse_checked_out(workspace.repository, integration)
    _prove(workspace, plan)
    record_base(workspace, plan)
    state_changes = [StateChange(step.task.id, step.task.state, State.MERGED, step.replayed.tip) for step in plan.steps]
    state_changes += [
        StateChange(task.id, tasks[task.id].state, task.state, reason=task.reason, reason_kind=task.reason_kind)
        for task in conflicted
    ]
    state_changes += merged_commit_changes(workspace, plan)
    with operation_lock(workspace), note_store.lock(workspace.repository):
        moves = merge.ref_updates(workspace.repository, plan, integration, lines)
        move_refs_and_states(workspace, _kind(plan), moves, state_changes, _summary(plan))
    remembered.remember(workspace, plan)
    workspace.store.snapshot_if_due()


def _kind(plan: MergePlan) -> str:
    return "merge --into" if plan.target else "merge"


def _summary(plan: MergePlan) -> str:
    summary = describe("merge", [step.task for step in plan.steps])
    if plan.target is None:
        return summary
    return f"{summary} into {plan.target.branch}" if plan.steps else f"merge into {plan.target.branch}"


def _prove(workspace: Workspace, plan: MergePlan) -> None:
    """Save the evidence and raise `ProofFailed` if a plan's commits are not what the plan says."""
    _refuse_moved(workspace, plan)
    if faults := merge.faults(workspace.repository, workspace.tasks, plan):
        path = workspace.folder / "crashes" / f"proof-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(msgspec.to_builtins({"faults": faults, "plan": plan})), "ascii")
        raise ProofFailed(
            "proof-failed",
            f"the merge does not match its plan: {faults[0]}",
            why=f"nothing was moved; {len(faults)} faults and the plan are in {path}",
            fix=("orchestrate merge --verify each",),
        )


def _refuse_moved(workspace: Workspace, plan: MergePlan) -> None:
    """Raise `RefsMoved` or `TaskMoved` if another command has changed the inputs of the plan. Comments may be added."""
    target, tasks = plan.target, [(step.task, workspace.tasks.get(step.task.id)) for step in plan.steps]
    if (
        integration_tip(workspace) != plan.before
        or (target is not None and workspace.repository.read_ref(target.ref) != target.before)
        or any(task is not None and task.commits != planned.commits for planned, task in tasks)
    ):
        raise RefsMoved(
            "refs-moved",
            "another command changed the repository after the merge was planned; nothing was moved",
            fix=("run the command again",),
        )
    for planned, task in tasks:
        if task is None or task.state is not planned.state:
            raise task_moved(planned.id, task)


def _left_out(workspace: Workspace, plan: MergePlan) -> list[Task]:
    """Return the tasks that a check holds back: they stay approved, with the reason, so that `status` can say it."""
    merged = {step.task.id for step in plan.steps}
    tasks = []
    for failure in plan.failures:
        current = workspace.tasks[failure.task.id]
        partners = f" together with {', '.join(failure.partners)}" if failure.partners else " with it"
        reason = f"check {failure.check} fails{partners}"
        changed = change(current, reason=reason, reason_kind=ReasonKind.LEFT_OUT)
        if current.id not in merged and changed != current:
            tasks.append(changed)
    return tasks


def _conflicted(workspace: Workspace, plan: MergePlan) -> list[Task]:
    tasks = []
    for conflict in plan.conflicts:
        partners = ", ".join(conflict.partners) or workspace.config.integration
        reason = f"conflicts with {partners} in {readable_list(conflict.paths)}"
        tasks.append(change(workspace.tasks[conflict.task.id], state=State.CONFLICTED, reason=reason))
    return tasks
