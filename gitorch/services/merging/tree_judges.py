"""Make the judges of resolutions. Only a merge with something to prove loads this module: see `merge_checks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitorch.config import LoadedConfig
from gitorch.errors import GitorchError
from gitorch.flow.merge import MergePlan
from gitorch.flow.merge.tree_judge import TreeJudge
from gitorch.model.naming import Oid
from gitorch.model.task import Task, base_of
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import NAME
from gitorch.services.agents import run_context
from gitorch.services.configured_checks import checks_at
from gitorch.services.workspace import Workspace


def judge_of(
    workspace: Workspace, plan: MergePlan, before_checks: Callable[[], None] = lambda: None, *, recheck: bool = False
) -> TreeJudge:
    """Return the judge of a plan, for a command."""
    return open_judge(run_context(workspace, before_checks), workspace.loaded, plan, recheck=recheck)


def open_judge(
    context: RunContext, loaded: LoadedConfig, plan: MergePlan, *, name: str = NAME, recheck: bool = False
) -> TreeJudge:
    """Return the judge of a plan: with the checks of the commit that it goes onto. `name` is that of its worktrees."""
    repository = context.repository
    known: dict[Oid, Mapping[str, str]] = {}

    def checks_of(task: Task) -> Mapping[str, str]:
        base = base_of(task)
        if base not in known:
            known[base] = checks_at(repository, loaded, base)
        return {**known[base], **task.spec.checks}

    try:
        checks: Mapping[str, str] = checks_at(repository, loaded, plan.onto)
        untrusted = ""
    except GitorchError as error:
        checks, untrusted = {}, error.what
    return TreeJudge(context, checks, checks_of, name=name, recheck=recheck, untrusted=untrusted)
