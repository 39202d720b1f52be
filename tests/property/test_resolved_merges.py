"""Whole merges with resolvers and proof on random nights: what is published is proven, whole, and can be taken back."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import gitorch
from gitorch import services
from gitorch.flow.merge import MergePlan
from gitorch.flow.merge.checks import verify_plan
from gitorch.flow.merge.resolution.remembered import RESOLVED
from gitorch.git.repository import Repository
from gitorch.model.generators import drain
from gitorch.model.naming import NOTES, TaskId
from gitorch.model.task import State, Task
from gitorch.services.merging.resolving import ResolveJob, is_resolvable, resolve
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from tests.faults.killing import killed_at
from tests.property.test_replay import rebased
from tests.support.clashing import Night, Work, write_night
from tests.support.cli import Cli
from tests.support.git import DATE, git, run
from tests.support.scale import scaled
from tests.support.tasks import make_task
from tests.support.word_checks import WordChecks

NIGHTS = int(os.environ.get("GITORCH_TEST_RESOLVED_MERGES") or scaled(200))
BATCH = 20
"""Nights of one test: the tests of a batch run in one process."""

_SETTINGS = (
    "[merge]\n\trenames = false\n",
    "[merge]\n\tdirectoryRenames = true\n",
    "[merge]\n\tconflictStyle = diff3\n",
    "[diff]\n\talgorithm = histogram\n",
    "[commit]\n\tcleanup = strip\n",
)
"""Settings of git that change what a rebase makes, or must not; a night has any subset of them."""

MERGED = ("orch/integration ", "orch/candidate ")

_OWN_WORD = re.compile(r"t\d+x\d+")


def opened(folder: Path, night: Night, mode: str) -> Workspace:
    """Return the workspace of a night whose tasks are all approved."""
    settings = [setting for number, setting in enumerate(_SETTINGS) if night.seed >> number & 1]
    with (folder / ".git" / "config").open("a", encoding="utf-8") as file:
        file.writelines(settings)
    refs = [("refs/heads/main", night.onto), *((f"refs/heads/orch/{work.name}", work.tip) for work in night.works)]
    git("update-ref", "--stdin", cwd=folder, input="".join(f"update {ref} {oid}\n" for ref, oid in refs).encode())
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "gitorch" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(configuration(night, mode), "utf-8")
    workspace = open_workspace(folder)
    workspace.store.save([_task(work, number, night) for number, work in enumerate(night.works, start=1)])
    return workspace


def configuration(night: Night, mode: str) -> str:
    return f"[checks]\nall = '''{night.check.command()}'''\n[merge]\nresolve = \"{mode}\"\n"


def _task(work: Work, number: int, night: Night) -> Task:
    return make_task(
        id=TaskId(work.name),
        number=number,
        title=work.name,
        prompt=work.name,
        state=State.APPROVED,
        branch=f"orch/{work.name}",
        base=work.base,
        tip=work.tip,
        after=tuple(TaskId(other.name) for other in night.works if other.tip == work.base),
        checks={f"own{number}": rule.command() for number, rule in enumerate(work.checks)},
    )


def planned(workspace: Workspace, checks: WordChecks, verify: str, *, takes: bool) -> MergePlan:
    """Plan a merge as `gitorch.plan_merge` does, with checks that run in this process."""
    with services.merging.replaying.open_replayer(workspace) as replayer:
        plan = services.merging.merge.plan_merge(workspace, replayer, None)
        plan = drain(verify_plan(replayer, workspace.tasks, plan, checks.check, verify), lambda _: None)
        job = ResolveJob(
            repository=workspace.repository, loaded=workspace.loaded, tasks=dict(workspace.tasks), reorder=True
        )
        if takes and is_resolvable(job, replayer, plan):
            plan = drain(resolve(job, replayer, plan, checks), lambda _: None)
        replayer.keep(plan.tip)
        return plan


def refs_and_states(workspace: Workspace) -> tuple[str, str, Mapping[TaskId, State]]:
    """Return what an undo has to bring back: the refs, what is noted and remembered, and where each task stands."""
    folder = workspace.repository.common_dir
    refs = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=folder).splitlines()
    names = {ref.partition(" ")[0] for ref in refs}
    contents = [git("ls-tree", "-r", ref, cwd=folder) for ref in (NOTES, RESOLVED) if ref in names]
    kept = [ref for ref in refs if not ref.startswith((NOTES, RESOLVED, "refs/gitorch/trash/"))]
    return "\n".join(kept), "".join(contents), {task.id: task.state for task in workspace.tasks.values()}


class Morning:
    """One night's merge: the plan, and what has to be so of it."""

    def __init__(self, folder: Path, night: Night) -> None:
        self.folder, self.night = folder, night
        self.works = {work.name: work for work in night.works}
        dice = random.Random(night.seed)
        self.mode = dice.choice(("auto", "auto", "propose", "off"))
        self.verify = dice.choice(("batch", "batch", "each", "end"))
        self.kill_at = dice.randint(1, 30)
        self.workspace = opened(folder, night, self.mode)
        self.checks = WordChecks(self.workspace.repository, night)
        # a person who says `--resolved` in the mode "propose", in some nights
        self.takes = self.mode == "auto" or (self.mode == "propose" and dice.random() < 0.5)
        self.plan = planned(self.workspace, self.checks, self.verify, takes=self.takes)
        # planning learns from merges that are on the branches
        self.before = refs_and_states(self.workspace) if night.seed % 5 in (0, 1, 2) else None
        self.landed = [self.works[step.task.id] for step in self.plan.steps]
        self.resolved = [entry for entry in self.plan.resolutions if entry.proven]

    def publish(self) -> None:
        services.merging.merge.publish_stored(self.workspace, self.plan)

    def assert_nobody_is_dropped(self) -> None:
        """Each task is in, or in conflict, or left out by a check, or waits; and all branches are where they were."""
        plan = self.plan
        groups = (plan.steps, plan.conflicts, plan.failures, plan.blocked)
        names = Counter(entry.task.id for group in groups for entry in group)
        assert names == Counter(self.works.keys()), self.night.seed
        listing = git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads", cwd=self.folder)
        expected = {f"orch/{work.name} {work.tip}" for work in self.night.works} | {f"main {self.night.onto}"}
        assert {ref for ref in listing.splitlines() if not ref.startswith(MERGED)} == expected

    def assert_green(self) -> None:
        """The checks of the repository pass on what is published, and those of all whom a resolution concerns."""
        words = self.checks.words(self.plan.tip)
        assert not self.landed or self.night.check.holds(words), self.night.seed
        for entry in self.resolved:
            parties = [self.works[name] for name in (entry.task, *entry.partners)]
            assert all(party.checks for party in parties), "a proof needs checks of all whom it concerns"
            paths = {file.path for file in entry.files}
            for work in self.landed:
                if work in parties or not paths.isdisjoint(self._paths(work)):
                    assert all(rule.holds(words) for rule in work.checks), (self.night.seed, entry.task, work.name)
            for party in parties:
                alone = self.checks.words(party.tip)
                assert all(rule.holds(alone) for rule in (self.night.check, *party.checks)), self.night.seed

    def _paths(self, work: Work) -> list[str]:
        return git("diff", "--name-only", "-z", "--no-renames", work.base, work.tip, cwd=self.folder).split("\0")

    def assert_whole(self) -> None:
        """What each landed task added is there, and what it removed is not, but for what another landed one did."""
        words = self.checks.words(self.plan.tip)
        removed = frozenset[str]().union(*(work.removes for work in self.landed))
        for work in self.landed:
            added = {word for word in work.adds if _OWN_WORD.fullmatch(word)}
            assert added - removed <= words, (self.night.seed, work.name)
            gone = {word for word in work.removes if word in ("opened", "closed", "helped")}
            assert gone.isdisjoint(words), (self.night.seed, work.name)

    def assert_a_loop_of_rebases(self) -> None:
        """Without a resolution, a task's commits are those of `git rebase`; with one, a rebase stops at a conflict."""
        tip = self.night.onto
        for step, work in zip(self.plan.steps, self.landed, strict=True):
            is_stack = run("merge-base", "--is-ancestor", work.base, self.night.onto, cwd=self.folder, ok=(0, 1))
            words = ("--onto", tip, work.base) if is_stack.returncode else (tip,)
            expected = rebased(self.folder, work.tip, *words)
            if step.replayed.resolved:
                assert not isinstance(expected, str), (self.night.seed, work.name)
            elif not work.merges:
                assert expected == step.replayed.tip, (self.night.seed, work.name)
            tip = step.replayed.tip

    def assert_published(self, workspace: Workspace) -> None:
        """Branch, tasks and notes say what the plan says."""
        states = {TaskId(name): State.APPROVED for name in self.works}
        states |= {step.task.id: State.MERGED for step in self.plan.steps}
        states |= {conflict.task.id: State.CONFLICTED for conflict in self.plan.conflicts}
        assert {task.id: task.state for task in workspace.tasks.values()} == states, self.night.seed
        integration = run("rev-parse", "-q", "--verify", "orch/integration", cwd=self.folder, ok=(0, 1)).stdout
        assert integration.decode().strip() == (self.plan.tip if self.plan.steps else "")
        for entry in self.resolved:
            (step,) = [step for step in self.plan.steps if step.task.id == entry.task]
            noted = git("notes", "--ref=gitorch", "show", step.replayed.tip, cwd=self.folder)
            assert '"resolved"' in noted or len(step.replayed.pairs) > 1, self.night.seed

    def assert_undo_is_exact(self) -> None:
        """An undo brings everything back, and a redo what was published."""
        after = refs_and_states(self.workspace)
        if after == self.before:
            return
        gitorch.undo(self.workspace)
        assert refs_and_states(self.workspace) == self.before, self.night.seed
        gitorch.redo(self.workspace)
        assert refs_and_states(self.workspace) == after, self.night.seed

    def publish_killed(self) -> None:
        """Publish, be killed at one of the steps, and run again: the same comes of it."""
        killed_at(self.publish, self.kill_at)
        self.workspace = open_workspace(self.folder)
        if refs_and_states(self.workspace) == self.before:
            again = planned(self.workspace, self.checks, self.verify, takes=self.takes)
            assert [step.replayed.tip for step in again.steps] == [step.replayed.tip for step in self.plan.steps]
            services.merging.merge.publish_stored(self.workspace, again)


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)


def mornings(empties: Iterator[Repository], seeds: range) -> Iterator[Morning]:
    for seed, empty in zip(seeds, empties, strict=False):
        assert empty.work_tree is not None
        yield Morning(empty.work_tree, write_night(empty.work_tree, seed))


@pytest.mark.parametrize("start", range(0, NIGHTS, BATCH))
def test_what_is_published_is_proven_and_whole(empties: Iterator[Repository], start: int) -> None:
    """In every night: nobody is dropped, the checks pass, no work is lost, and it can be taken back exactly."""
    seen = Counter[str]()
    for morning in mornings(empties, range(start, min(NIGHTS, start + BATCH))):
        seed = morning.night.seed
        morning.assert_green()
        morning.assert_whole()
        morning.publish_killed() if seed % 5 == 0 else morning.publish()
        morning.assert_nobody_is_dropped()
        morning.assert_published(morning.workspace)
        if seed % 5 in (1, 2):
            morning.assert_undo_is_exact()
        if seed % 5 == 1:
            morning.assert_a_loop_of_rebases()
        seen["resolved"] += len(morning.resolved)
        seen["conflicts"] += len(morning.plan.conflicts)
        seen["failures"] += len(morning.plan.failures)
        assert morning.takes or not any(step.replayed.resolved for step in morning.plan.steps)
    assert seen["resolved"], "nights without a resolution say little"
    assert seen["conflicts"], "nights without a conflict say little"


@pytest.mark.parametrize("start", range(1_000, 1_000 + 100 * scaled(1), 100))
def test_the_command_does_the_same_with_real_checks(empties: Iterator[Repository], start: int) -> None:
    """`orchestrate merge`, whose checks are programs in worktrees, publishes the same commits and resolutions."""
    morning = next(morning for morning in mornings(empties, range(start, start + 100)) if morning.resolved)
    plan = morning.plan
    cli = Cli(morning.folder, configuration(morning.night, morning.mode))
    answer = cli.json("merge", "--resolved", "--verify", morning.verify, ok=(0, 6, 7))
    merged = [(entry["id"], entry["new_tip"]) for entry in answer["merged"]]
    assert merged == [(step.task.id, step.replayed.tip) for step in plan.steps]
    resolutions = [(entry["id"], entry["proven"], entry["tree"]) for entry in answer["resolutions"]]
    assert resolutions == [(entry.task, entry.proven, entry.tree) for entry in plan.resolutions]
    morning.assert_nobody_is_dropped()
    morning.assert_published(open_workspace(morning.folder))
