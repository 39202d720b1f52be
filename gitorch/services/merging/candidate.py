"""The merge candidate: all completed work, rebased onto the integration branch in dependency order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gitorch import services
from gitorch.config import LoadedConfig
from gitorch.errors import GitorchError, Refused, system_error
from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, MergeReplayer
from gitorch.flow.merge.planning import candidate
from gitorch.flow.merge.planning.candidate import CandidateTasks
from gitorch.git.repository import Repository
from gitorch.model import naming
from gitorch.model.forecasts.conflict_forecast import Candidate, CheckStatus
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import MemoryReplayer, Replayer
from gitorch.services.branches.own_branches import refuse_checked_out
from gitorch.services.configured_checks import checks_at
from gitorch.services.merging.forecast import make_forecast
from gitorch.services.merging.forecast_record import (
    last_forecast,
    save_candidate,
    save_forecast,
    saved_candidate,
    unchecked,
)
from gitorch.services.merging.merge import plan_for
from gitorch.services.merging.merge_base import MergeInputs, merge_inputs
from gitorch.services.workspace import Workspace
from gitorch.storage import locks

ResolvePlan = Callable[[MergeReplayer, MergePlan], MergePlan]
"""Returns a plan with the resolutions of what conflicts in it, as far as they are known. Runs no check."""


class RebuiltCandidate(msgspec.Struct, frozen=True):
    """A rebuilt candidate that is not published yet, its plan, and the earlier tip of its branch.

    The plan has no resolutions even where the candidate has.
    """

    plan: MergePlan
    candidate: Candidate
    tip_before: Oid | None


def refresh(workspace: Workspace, is_wanted: Callable[[], bool] = lambda: True) -> list[str]:
    """Rebuild the forecast and the candidate outside of a run; return a message for an error.

    Nothing is written once `is_wanted` returns False.
    """
    try:
        # two commands at once would overwrite each other's files
        with locks.file_lock(workspace.folder / "forecast.lock"), MemoryReplayer(workspace.repository) as engine:
            inputs = merge_inputs(workspace)
            forecast = make_forecast(inputs, engine, last=last_forecast(workspace))
            if not is_wanted():
                return []
            save_forecast(workspace, forecast)
            rebuilt = rebuild_candidate(
                inputs,
                workspace.loaded,
                engine,
                saved_candidate(workspace),
                resolve=lambda replayer, plan: services.merging.resolving.known(workspace, replayer, plan),
            )
            if rebuilt is not None and is_wanted():
                publish_candidate(workspace, _with_earlier_results(workspace, rebuilt))
    except GitorchError as error:
        return [f"the candidate was not rebuilt: {error.what}"]
    except OSError as error:
        # what the command did is done, whatever stands in the way of these files
        if (refused := system_error(error)) is None:
            raise
        return [f"the candidate was not rebuilt: {refused.what}: {refused.why}"]
    return []


def rebuild_candidate(
    inputs: MergeInputs,
    loaded: LoadedConfig,
    replayer: Replayer,
    saved: Candidate | None,
    *,
    checked: bool = False,
    in_progress: Candidate | None = None,
    resolve: ResolvePlan | None = None,
) -> RebuiltCandidate | None:
    """Rebuild the candidate of all completed work; return None if the `saved` one is up to date.

    Stores its commits and moves no ref. With `checked` the caller will check it, unless it is already `in_progress`.
    `resolve` returns a plan with the resolutions that are proven already.
    """
    selection = candidate.candidate_tasks(inputs.tasks)
    if _is_up_to_date(inputs, loaded, saved, selection, checked=checked and saved != in_progress):
        return None
    # commands that generate files run only when it is merged
    merge_replayer = merge.merge_replayer(replayer)
    plan = plan_for(inputs, merge_replayer, selection.tasks)
    resolved = resolve(merge_replayer, plan) if resolve is not None and plan.conflicts else plan
    tip = inputs.candidate_tip
    rebuilt = candidate.make_candidate(
        resolved,
        replayer.tree(resolved.tip),
        selection,
        inputs.merge_base,
        branch=inputs.config.candidate,
        before=tip if saved and tip in (saved.tip, saved.before) else None,
        time=datetime.now(UTC),
    )
    replayer.keep(plan.tip, resolved.tip)
    return RebuiltCandidate(plan, _before_checks(inputs, loaded, rebuilt, checked=checked), tip)


def publish_candidate(workspace: Workspace, rebuilt: RebuiltCandidate) -> Candidate:
    """Save a candidate and move its branch; return the published candidate.

    A branch that is checked out is not moved, and the candidate says so. Foreign commits on the branch are kept under
    `refs/gitorch/trash/`.
    """
    published, tip = _with_known_results(rebuilt.candidate, saved_candidate(workspace)), rebuilt.tip_before
    if tip != published.tip:
        try:
            refuse_checked_out(workspace.repository, published.branch)
        except Refused as refused:
            published = msgspec.structs.replace(published, not_updated=refused.what)
    save_candidate(workspace, published)
    if tip != published.tip and not published.not_updated:
        moves = [RefUpdate(branch_ref(published.branch), published.tip, tip)]
        if tip is not None and published.before is None:
            stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            moves.append(RefUpdate(naming.trash_ref("candidate", stamp), tip, None))
        workspace.repository.update_refs(moves, "make the candidate")
    return published


def _is_up_to_date(
    inputs: MergeInputs, loaded: LoadedConfig, saved: Candidate | None, selection: CandidateTasks, *, checked: bool
) -> bool:
    tip = inputs.candidate_tip
    if saved is None:
        return not selection.tasks and tip is None
    in_place = tip == saved.tip or (bool(saved.not_updated) and _is_checked_out(inputs.repository, saved.branch))
    has_results = saved.status in (CheckStatus.GREEN, CheckStatus.RED) and not saved.awaits_proof
    is_checked = not checked or has_results or bool(_why_unchecked(inputs, loaded, saved.onto))
    return in_place and is_checked and candidate.is_current(saved, selection, inputs.merge_base)


def _is_checked_out(repository: Repository, branch: str) -> bool:
    try:
        refuse_checked_out(repository, branch)
    except Refused:
        return True
    return False


def _before_checks(inputs: MergeInputs, loaded: LoadedConfig, rebuilt: Candidate, *, checked: bool) -> Candidate:
    """Return a candidate with its state and reason before its checks run."""
    reason = _why_unchecked(inputs, loaded, rebuilt.onto)
    if not reason and not rebuilt.tasks:
        reason = "it adds nothing to the merged work"
    if reason:
        return msgspec.structs.replace(rebuilt, reason=reason)
    return msgspec.structs.replace(rebuilt, status=CheckStatus.CHECKING) if checked else unchecked(rebuilt)


def _with_earlier_results(workspace: Workspace, rebuilt: RebuiltCandidate) -> RebuiltCandidate:
    """Return a candidate that waits for its checks with their results, if earlier commands saw its tree pass.

    One that failed still waits: a run checks it again, and finds the tasks that make it fail.
    """
    plan, waiting = rebuilt.plan, rebuilt.candidate
    if waiting != unchecked(waiting):
        return rebuilt
    results = plan.results or services.merging.merge_checks.passed_earlier(
        workspace, checks_at(workspace.repository, workspace.loaded, plan.onto), plan.tip
    )
    if not results:
        return rebuilt
    green = msgspec.structs.replace(waiting, status=CheckStatus.GREEN, results=results, reason="")
    return msgspec.structs.replace(rebuilt, candidate=green)


def _with_known_results(rebuilt: Candidate, saved: Candidate | None) -> Candidate:
    """Return a candidate with the results of the saved one if their trees are the same.

    One that will be checked is checked all the same if resolutions await it: which of them are proven decides what is
    in it.
    """
    is_checking = rebuilt.status is CheckStatus.CHECKING
    is_open = rebuilt == unchecked(rebuilt) or (is_checking and not rebuilt.awaits_proof)
    if is_open and saved and saved.tree == rebuilt.tree and saved.status is CheckStatus.GREEN:
        return msgspec.structs.replace(rebuilt, status=CheckStatus.GREEN, results=saved.results, reason="")
    return rebuilt


def _why_unchecked(inputs: MergeInputs, loaded: LoadedConfig, onto: Oid) -> str:
    """Return why checks cannot run on a candidate; empty if they can."""
    if inputs.config.merge.verify == "never":
        return "merge.verify is never"
    try:
        checks = checks_at(inputs.repository, loaded, onto)
    except GitorchError as error:
        return error.what
    return "" if checks else "no checks are configured"
