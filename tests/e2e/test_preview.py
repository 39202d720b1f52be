"""`preview`: the union of tasks in a worktree, with the tree that `merge` of the same tasks would publish; and `cd`."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest

from gitorch import services
from gitorch.errors import Refused
from gitorch.flow.merge import MergePlan
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import change
from gitorch.replay import Replayer
from gitorch.services.merging.preview import plan_preview
from gitorch.services.open import open_workspace
from tests.support.cli import Cli
from tests.support.days import adopt, approve, branch
from tests.support.git import commit, commit_on_branch, git

NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """Six tasks: b builds on a, d on c, f on b, and a and c change the same line of one file."""
    commit(repository_folder, "Shared", {"shared.txt": "one\ntwo\nthree\n"})
    commit_on_branch(repository_folder, "work/a", "main", ("A\n", {"a.txt": "a\n", "shared.txt": "ONE\ntwo\nthree\n"}))
    branch(repository_folder, "work/b", "b.txt", base="work/a")
    commit_on_branch(repository_folder, "work/c", "main", ("C\n", {"shared.txt": "1\ntwo\nthree\n"}))
    branch(repository_folder, "work/d", "d.txt", base="work/c")
    branch(repository_folder, "work/e", "e.txt")
    branch(repository_folder, "work/f", "f.txt", base="work/b")
    adopt(open_workspace(repository_folder), "work/*")
    return Cli(repository_folder, GITORCH_SANDBOX_MODE="off")


def outcome(replayer: Replayer, plan: MergePlan) -> tuple[Oid, dict[TaskId, tuple[str, ...]]]:
    """Return the tree of a plan, and why each task that it leaves out is left out."""
    reasons = {item.task.id: (*item.paths, *item.partners) for item in plan.conflicts}
    return replayer.tree(plan.tip), reasons | {item.task.id: (item.reason,) for item in plan.blocked}


def test_every_subset_has_the_tree_that_its_merge_publishes(cli: Cli) -> None:
    """For each of the 64 subsets, the previewed tree is that of the merge of the same tasks, or both leave the same out
    for the same reason; nothing is refused by both.
    """
    library = open_workspace(cli.folder)
    subsets = [names for size in range(1, 7) for names in itertools.combinations(map(TaskId, NAMES), size)]
    with services.merging.replaying.open_replayer(library) as replayer:
        expected = {names: outcome(replayer, plan_preview(library, replayer, names)) for names in subsets}
        with pytest.raises(Refused):
            plan_preview(library, replayer, [])
    approve(library, *NAMES)
    with services.merging.replaying.open_replayer(library) as replayer:
        for names in subsets:
            assert outcome(replayer, services.merging.merge.plan_merge(library, replayer, names)) == expected[names], (
                names
            )
    assert {names for names, (_, reasons) in expected.items() if reasons} == {
        names for names in subsets if {"a", "b", "f"} & {*names} and {"c", "d"} & {*names}
    }


def test_the_union_is_checked_out_and_prepared(cli: Cli) -> None:
    """The worktree has what merge publishes, prepared like an agent's; the next preview replaces it and keeps edits."""
    cli.configure("[prepare]\nrun = ['echo ready > prepared.log']\n")
    with cli.untouched():
        made = cli.json("preview", "b", "e")
        folder = Path(made["worktree"])
        assert {*made["tasks"]} == {"a", "b", "e"}
        assert {"a.txt", "b.txt", "e.txt", "prepared.log"} <= {path.name for path in folder.iterdir()}
        assert git("rev-parse", "HEAD^{tree}", cwd=folder) == made["tree"]
        (folder / "a.txt").write_text("tried\n")
        again = cli.json("preview", "a", "c", ok=7)
        assert again["worktree"] == made["worktree"]
        assert [item["id"] for item in again["conflicted"]] in (["a"], ["c"])
        assert [hunk["path"] for hunk in again["conflicted"][0]["hunks"]] == ["shared.txt"]
        assert not (folder / "b.txt").exists()
    assert git("show", "refs/gitorch/rescue/_preview:a.txt", cwd=cli.folder) == "tried"
    cli("approve", "a", "b", "e", "--force")
    cli("merge", "b", "e")
    assert git("rev-parse", "orch/integration^{tree}", cwd=cli.folder) == made["tree"]
    assert cli.json("preview", "--remove")["worktree"] is None
    assert not folder.exists()
    error = cli.error("preview", "a", exit=5)
    assert error["code"] == "nothing-to-preview"


def test_nothing_is_previewed_of_a_queued_task(cli: Cli) -> None:
    """A task without work is refused by name."""
    library = open_workspace(cli.folder)
    cli.queue({"prompt": "Later", "id": "later"})
    with services.merging.replaying.open_replayer(library) as replayer, pytest.raises(Refused, match="later is queued"):
        plan_preview(library, replayer, [TaskId("later")])


def test_cd_goes_to_the_worktree_with_the_shell_function(cli: Cli, tmp_path: Path) -> None:
    """The program prints the path; the function of the completion script changes to it, and passes the rest on."""
    assert cli.error("cd", "a", exit=5)["code"] == "no-worktree"
    folder = tmp_path / "a folder"
    folder.mkdir()
    library = open_workspace(cli.folder)
    task = library.tasks[TaskId("a")]
    library.store.save([change(task, worktree=str(folder))])
    answer = cli("cd", "a")
    assert answer.text == f"{folder}\n"
    assert "completion bash" in answer.stderr
    script = cli("completion", "bash").text
    program = tmp_path / "orchestrate"
    program.write_text(f'#!/bin/sh\n[ "$1" = cd ] && echo "{folder}" || echo "other: $*"\n')
    program.chmod(0o755)
    function = script[script.index("orchestrate() {") :]
    words = f"PATH={tmp_path}:$PATH\n{function}\norchestrate status --all\norchestrate cd a\npwd\norchestrate cd -h"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["other: status --all", str(folder), str(folder)]
