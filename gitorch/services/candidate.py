"""The merge candidate: all completed work, rebased onto the integration branch in dependency order."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec

from gitorch.errors import GitorchError, Refused
from gitorch.flow import merge
from gitorch.flow.merge import Plan, candidate
from gitorch.flow.merge.candidate import Gathered, Ground
from gitorch.model import naming
from gitorch.model.forecast import Candidate, Judgement
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import Replayer
from gitorch.services.branches import refuse_checked_out
from gitorch.services.forecast import update_forecast
from gitorch.services.forecast_record import save_candidate, saved_candidate, unchecked
from gitorch.services.merge import plan_for, tree_checker
from gitorch.services.merge_base import merge_base_and_candidate
from gitorch.services.workspace import Workspace
from gitorch.storage import locks


def refresh(workspace: Workspace, replayer: Replayer | None = None) -> list[str]:
    """Rebuild the forecast and the candidate, where no run does; return what prevented that, as messages.

    `replayer` is one of this process that has already read much of what is needed.
    """
    try:
        # another command that does the same would replace what this one writes
        with locks.turn(workspace.folder / "forecast.lock"), ExitStack() as stack:
            plain = merge.unwrapped(replayer) if replayer else stack.enter_context(Replayer(workspace.repository))
            update_forecast(workspace, plain)
            rebuild_candidate(workspace, plain)
    except GitorchError as error:
        return [f"the candidate was not rebuilt: {error.what}"]
    return []


def rebuild_candidate(
    workspace: Workspace, replayer: Replayer, *, checked: bool = False, in_progress: Candidate | None = None
) -> tuple[Plan, Candidate] | None:
    """Rebuild the candidate of all completed work, and move its branch; None when it is up to date.

    With `checked` the caller is going to check it, unless it is the one `in_progress` already. A branch that is checked
    out stays where it is, and the candidate says so; commits that somebody else has put there are kept under
    `refs/gitorch/trash/`.
    """
    (ground, tip), gathered = merge_base_and_candidate(workspace), candidate.gather(workspace.tasks)
    saved = saved_candidate(workspace)
    if _is_up_to_date(workspace, saved, gathered, ground, tip, checked=checked and saved != in_progress):
        return None
    # commands that make files run when it is merged
    plan = plan_for(workspace, merge.Resolver(replayer), gathered.chosen, ground=ground)
    rebuilt = candidate.record(
        plan,
        replayer.tree(plan.tip),
        gathered,
        ground,
        branch=workspace.config.candidate,
        before=tip if saved and tip in (saved.tip, saved.before) else None,
        when=datetime.now(UTC),
    )
    rebuilt = _before_checks(workspace, rebuilt, saved, checked=checked)
    replayer.keep(plan.tip)
    return plan, _publish(workspace, rebuilt, tip)


def _is_up_to_date(
    workspace: Workspace,
    saved: Candidate | None,
    gathered: Gathered,
    ground: Ground,
    tip: Oid | None,
    *,
    checked: bool,
) -> bool:
    if saved is None:
        return not gathered.chosen and tip is None
    in_place = tip == saved.tip or (bool(saved.held) and _is_checked_out(workspace, saved.branch))
    has_results = saved.judgement in (Judgement.GREEN, Judgement.RED)
    judged = not checked or has_results or bool(_why_unchecked(workspace, saved.onto))
    return in_place and judged and candidate.is_current(saved, gathered, ground)


def _is_checked_out(workspace: Workspace, branch: str) -> bool:
    try:
        refuse_checked_out(workspace, branch)
    except Refused:
        return True
    return False


def _before_checks(workspace: Workspace, rebuilt: Candidate, saved: Candidate | None, *, checked: bool) -> Candidate:
    """Return a candidate with what is known of its checks before they run."""
    reason = _why_unchecked(workspace, rebuilt.onto)
    if not reason and not rebuilt.tasks:
        reason = "nothing has been added to what is merged"
    if reason:
        return msgspec.structs.replace(rebuilt, reason=reason)
    if saved and saved.tree == rebuilt.tree and saved.judgement is Judgement.GREEN:
        return msgspec.structs.replace(rebuilt, judgement=Judgement.GREEN, results=saved.results)
    return msgspec.structs.replace(rebuilt, judgement=Judgement.CHECKING) if checked else unchecked(rebuilt)


def _why_unchecked(workspace: Workspace, onto: Oid) -> str:
    """Return why no check can run on a candidate; empty where they can."""
    if workspace.config.merge.verify == "never":
        return "merge.verify is never"
    try:
        checker = tree_checker(workspace, onto)
    except GitorchError as error:
        return error.what
    return "" if checker.checks else "no checks are configured"


def _publish(workspace: Workspace, rebuilt: Candidate, tip: Oid | None) -> Candidate:
    """Save a candidate, and move its branch there."""
    if tip != rebuilt.tip:
        try:
            refuse_checked_out(workspace, rebuilt.branch)
        except Refused as refused:
            rebuilt = msgspec.structs.replace(rebuilt, held=refused.what)
    save_candidate(workspace, rebuilt)
    if tip != rebuilt.tip and not rebuilt.held:
        moves = [RefUpdate(branch_ref(rebuilt.branch), rebuilt.tip, tip)]
        if tip is not None and rebuilt.before is None:
            stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            moves.append(RefUpdate(naming.trash_ref("candidate", stamp), tip, None))
        workspace.repository.update_refs(moves, "make the candidate")
    return rebuilt
