"""Run the checks of a merge. Only a merge that has checks loads this module, and with it what programs run in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from gitorch.flow.merge import MergePlan, Progress
from gitorch.flow.merge.checks import verify_plan
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult
from gitorch.replay import Replayer
from gitorch.rooms.trees import TreeChecker
from gitorch.services.agents import run_context
from gitorch.services.merging.merge_into import check_target
from gitorch.services.workspace import Workspace


def run_checks(
    workspace: Workspace,
    replayer: Replayer,
    plan: MergePlan,
    checks: Mapping[str, str],
    verify: str,
    before_checks: Callable[[], None],
    *,
    recheck: bool = False,
) -> Generator[Progress, None, MergePlan]:
    """Check the trees that a plan would publish; return the plan of the steps that pass."""
    with TreeChecker(run_context(workspace, before_checks), checks, recheck=recheck) as checker:
        verified = yield from verify_plan(replayer, workspace.tasks, plan, checker.check, verify, checker.parallel)
        return (yield from check_target(verified, checker.check, verify))


def passed_earlier(workspace: Workspace, checks: Mapping[str, str], commit: Oid) -> tuple[CheckResult, ...]:
    """Return the results of checks that earlier commands ran on a commit's tree, if all passed; runs nothing."""
    with TreeChecker(run_context(workspace), checks) as checker:
        results = checker.known(commit) or ()
    return results if all(result.passed for result in results) else ()
