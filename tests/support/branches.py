"""Approved tasks with branches of their own, in plain git, and the plans and verdicts that the merger makes of them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

from gitorch.flow import merge
from gitorch.flow.merge import MergePlan, Progress
from gitorch.flow.merge.checks import verify_plan
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import CheckResult, State, Task
from gitorch.replay import Replayer
from tests.support.git import Files, commit_on_branch
from tests.support.tasks import make_task

FailingTask = Callable[[set[str]], bool]
"""Whether the check fails on a tree with files of these names."""


class Branches:
    """Makes tasks with one commit each, plans them, and judges unions by the names of their files."""

    def __init__(self, repo: Repository, replayer: Replayer) -> None:
        assert repo.work_tree is not None
        self.repo = repo
        self.replayer = replayer
        self.top = repo.work_tree
        self.main = self.at("HEAD")
        self.tasks: dict[TaskId, Task] = {}
        self.seen: list[set[str]] = []
        self.told: list[Progress] = []

    def git(self, *words: str, input: str = "") -> str:
        done = subprocess.run(["git", *words], cwd=self.top, check=True, capture_output=True, text=True, input=input)
        return done.stdout.strip()

    def at(self, name: str) -> Oid:
        return Oid(self.git("rev-parse", name))

    def task(self, name: str, files: Files, *, after: str = "", **fields: object) -> Task:
        """Add an approved task whose branch changes these files, on main or on the branch it waits for."""
        base = self.tasks[TaskId(after)].tip if after else self.main
        assert base is not None
        tip = Oid(commit_on_branch(self.top, f"orch/{name}", base, (f"work of {name}\n", files)))
        return self._approved(name, base, tip, after=(TaskId(after),) if after else (), **fields)

    def many(self, count: int) -> list[str]:
        """Add tasks t000, t001, ... with a file of their own each, all in one process."""
        names = [f"t{number:03}" for number in range(count)]
        who = "committer Una User <una@example.com> 1700000000 +0000"
        stream = "".join(
            f"commit refs/heads/orch/{name}\nmark :{at}\n{who}\ndata {len(name)}\n{name}\nfrom {self.main}\n"
            f"M 644 inline {name}.txt\ndata 2\nx\n\n"
            for at, name in enumerate(names, start=1)
        )
        self.git("fast-import", "--quiet", input=stream)
        tips = self.git("rev-parse", *(f"orch/{name}" for name in names)).split()
        for name, tip in zip(names, tips, strict=True):
            self._approved(name, self.main, Oid(tip))
        return names

    def _approved(self, name: str, base: Oid, tip: Oid, **fields: object) -> Task:
        defaults = {"title": name, "prompt": name, "state": State.APPROVED, "branch": f"orch/{name}"}
        given = {**defaults, "number": len(self.tasks) + 1, "base": base, "tip": tip, **fields}
        one = make_task(id=TaskId(name), **given)
        self.tasks[one.id] = one
        return one

    def plan(self, *skip: str, names: Sequence[str] | None = None) -> MergePlan:
        named = [TaskId(name) for name in names] if names is not None else None
        chosen = merge.choose(self.tasks, named, [TaskId(name) for name in skip])
        made = merge.plan(self.replayer, self.tasks, chosen, None, self.main)
        self.replayer.keep(made.tip)
        return made

    def verified(self, plan: MergePlan, red: FailingTask, verify: str = "batch", width: int = 1) -> MergePlan:
        """Verify with a check that judges by the names of the files in a tree; `seen` has the trees it looked at."""
        self.seen.clear()
        self.told.clear()
        turn = threading.Lock()

        def check(
            commit: Oid, *, retry: bool = False, on_check: Callable[[str], None] = lambda _: None
        ) -> tuple[CheckResult, ...]:
            on_check("test")
            names = self.names(commit)
            with turn:
                self.seen.append(names)
                code = 1 if red(names) else 0
            tree = Oid(self.git("rev-parse", f"{commit}^{{tree}}"))
            return (CheckResult(name="test", command="x", tree=tree, exit_code=code, flaky=retry and not code),)

        steps = verify_plan(self.replayer, self.tasks, plan, check, verify, width)
        return self._end(steps)

    def _end(self, steps: Iterator[Progress]) -> MergePlan:
        while True:
            try:
                self.told.append(next(steps))
            except StopIteration as end:
                found: MergePlan = end.value
                return found

    def names(self, commit: str) -> set[str]:
        """Return the names of a commit's files, without `.txt`."""
        found = self.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        return {name.removesuffix(".txt") for name in found}


def merged(plan: MergePlan) -> list[str]:
    return [step.task.id for step in plan.steps]


def failed(plan: MergePlan) -> list[tuple[str, tuple[str, ...], bool | None]]:
    """Return who is left out, with whom it is red, and whether it is green alone."""
    return [(one.task.id, tuple(one.partners), one.alone) for one in plan.failures]


def held(plan: MergePlan) -> dict[str, str]:
    return {one.task.id: one.reason for one in plan.blocked}
