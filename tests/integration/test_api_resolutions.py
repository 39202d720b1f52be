"""Resolutions by the public Python API: planned, published, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitorch
from gitorch.model.task import State
from gitorch.services.workspace import Workspace
from gitorch.storage import trust
from tests.support.git import git
from tests.support.resolvable import resolvable


@pytest.fixture
def workspace(repository_folder: Path) -> Workspace:
    library = resolvable(repository_folder, "total", "clear")
    trust.agree(library.repository.common_dir, trust.commands(library.loaded.layers))
    return gitorch.open_workspace(repository_folder)


def landed(plan: gitorch.MergePlan) -> list[str]:
    return [step.task.id for step in plan.steps]


def test_a_plan_takes_resolutions_only_if_it_is_asked_to(workspace: Workspace, repository_folder: Path) -> None:
    """By default the conflict stays; with `resolved` the plan names kind, evidence and sides, and can be published."""
    plain = gitorch.plan_merge(workspace)
    assert (landed(plain), [conflict.task.id for conflict in plain.conflicts]) == (["total"], ["clear"])
    plan = gitorch.plan_merge(workspace, resolved=True)
    assert (landed(plan), plan.conflicts) == (["total", "clear"], ())
    (resolution,) = plan.resolutions
    assert (resolution.proven, resolution.kinds, resolution.partners) == (True, ("structure",), ("total",))
    assert resolution.evidence
    (file,) = resolution.files
    assert all(workspace.repository.object_ids(oid) == [oid] for oid in (file.base, file.ours, file.theirs) if oid)
    gitorch.publish_merge(workspace, plan)
    assert {task.state for task in workspace.tasks.values()} == {State.MERGED}
    assert git("rev-parse", "orch/integration^{tree}", cwd=repository_folder) == resolution.tree
    gitorch.undo(workspace)
    assert {task.state for task in workspace.tasks.values()} == {State.APPROVED}


def test_a_resolution_holds_for_its_tips_only(workspace: Workspace, repository_folder: Path) -> None:
    """A plan whose branch has moved since is refused, and nothing moves."""
    plan = gitorch.plan_merge(workspace, resolved=True)
    other = gitorch.open_workspace(repository_folder)
    gitorch.reject(other, "clear", "not now")
    with pytest.raises(gitorch.Refused):
        gitorch.publish_merge(workspace, plan)
    assert "orch/integration" not in git("for-each-ref", "refs/heads", cwd=repository_folder)


def test_settings_decide_for_the_api_too(workspace: Workspace, repository_folder: Path) -> None:
    """`merge.resolve = "auto"` takes what is proven, `"off"` leaves the conflict whatever is asked."""
    file = repository_folder / ".orchestrate.toml"
    for mode, expected in (("auto", ["total", "clear"]), ("off", ["total"])):
        file.write_text(f'{file.read_text().partition("[merge]")[0]}[merge]\nresolve = "{mode}"\n')
        changed = gitorch.open_workspace(repository_folder)
        assert landed(gitorch.plan_merge(changed, resolved=mode == "off")) == expected
