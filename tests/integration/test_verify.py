"""Judging trees: in worktrees of a pool, each tree once over all commands, and never what was not judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitorch import services
from gitorch.errors import InvalidInput
from gitorch.executors.protocol import NotStarted, Spec
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import TreeChecker
from gitorch.rooms.trees.check_cache import MAX_AGE_SECONDS
from gitorch.services.open import open_workspace
from gitorch.storage import seals
from tests.support.git import commit, git


class Court:
    """A repository, the trees to judge in it, and how often a check ran."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder = folder
        self.place = place
        self.looks = place / "looks"
        self.test = f"echo look >> '{self.looks}'; test ! -f bad.txt"

    def context(self, *settings: str, **environment: str) -> RunContext:
        return services.agents.run_context(open_workspace(self.folder, settings, {**os.environ, **environment}))

    def judge(self, *settings: str, recheck: bool = False, **checks: str) -> TreeChecker:
        return TreeChecker(self.context(*settings), checks or {"test": self.test}, recheck=recheck)

    def commit(self, **files: str) -> Oid:
        made = commit(self.folder, "more\n", {f"{name}.txt": text for name, text in files.items()})
        return Oid(made)

    @property
    def count(self) -> int:
        return len(self.looks.read_text().splitlines()) if self.looks.exists() else 0


@pytest.fixture
def court(repository_folder: Path, tmp_path: Path) -> Court:
    return Court(repository_folder, tmp_path)


def codes(judge: TreeChecker, tree: Oid, *, again: bool = False) -> list[int | None]:
    with judge:
        return [result.exit_code for result in judge.check(tree, retry=again)]


def test_a_tree_is_not_tested_twice(court: Court) -> None:
    """Not by the same judge, not by a later command, and not as another commit with the same tree."""
    one = court.commit(a="x")
    same = Oid(git("commit-tree", f"{one}^{{tree}}", "-m", "same", cwd=court.folder))
    first = court.judge()
    assert codes(first, one) == codes(first, same) == [0]
    assert codes(court.judge(), one) == codes(court.judge(), same) == [0]
    assert court.count == 1
    assert codes(court.judge(), court.commit(b="x")) == [0]
    assert court.count == 2


def test_red_is_remembered_too_and_rechecked_on_demand(court: Court) -> None:
    """A red tree is judged a second time once, over all commands; `recheck` asks anew."""
    bad = court.commit(bad="x")
    assert codes(court.judge(), bad) == [1]
    assert codes(court.judge(), bad) == [1]
    assert court.count == 1
    assert codes(court.judge(), bad, again=True) == [1]
    assert codes(court.judge(), bad, again=True) == [1]
    assert court.count == 2
    assert codes(court.judge(recheck=True), bad) == [1]
    assert court.count == 3


def test_what_passes_one_of_two_times_is_flaky_and_stays_so(court: Court) -> None:
    """A flake is green, and marked as one, now and in later commands."""
    tree = court.commit(a="x")
    first = f"mkdir '{court.place}/once' || exit 0; exit 1"
    with court.judge(test=first, lint="true") as judge:
        assert [(one.exit_code, one.flaky) for one in judge.check(tree)] == [(1, False), (0, False)]
        assert [(one.exit_code, one.flaky) for one in judge.check(tree, retry=True)] == [(0, True), (0, False)]
    with court.judge(test=first, lint="true") as judge:
        assert [(one.exit_code, one.flaky) for one in judge.check(tree)] == [(0, True), (0, False)]


@pytest.mark.parametrize("command", ["no-such-program-at-all", "kill -9 $$", "exit 126"])
def test_what_could_not_be_run_is_never_remembered(court: Court, command: str) -> None:
    """A missing program and a killed check are red now, and asked again by the next command: a person may mend it."""
    tree = court.commit(a="x")
    test = f"echo look >> '{court.looks}'; {command}"
    for looks in (1, 2):
        with court.judge(test=test) as judge:
            assert not judge.check(tree)[0].passed
        assert court.count == looks


def test_another_environment_is_another_verdict(court: Court) -> None:
    """Commands, prepare settings, copied files and variables: when one of them changes, the tree is judged again."""
    tree = court.commit(a="x")
    (court.folder / "copied.log").write_text("1")
    copy = 'prepare.copy=["copied.log"]'
    environments: list[tuple[tuple[str, ...], dict[str, str]]] = [
        ((), {}),
        ((), {"LANG": "de_DE.UTF-8"}),
        (('prepare.run=["true"]',), {}),
        (('prepare.env={A = "1"}',), {}),
        ((copy,), {}),
    ]
    for number, (settings, environment) in enumerate(environments, start=1):
        for _ in range(2):
            assert codes(TreeChecker(court.context(*settings, **environment), {"test": court.test}), tree) == [0]
        assert court.count == number
    (court.folder / "copied.log").write_text("22")
    assert codes(TreeChecker(court.context(copy), {"test": court.test}), tree) == [0]
    assert court.count == len(environments) + 1
    # a terminal's width is nothing that a check should depend on, and a key nothing that it gets
    context = court.context(COLUMNS="40", ANTHROPIC_API_KEY="x", XDG_SESSION_ID="7")
    assert codes(TreeChecker(context, {"test": court.test}), tree) == [0]
    assert court.count == len(environments) + 1


def test_checks_are_remembered_together(court: Court) -> None:
    """A check may need what the one before it has built: when one is not known, all run, in order, in one worktree."""
    tree = court.commit(a="x")
    build, test = f"echo look >> '{court.looks}'; echo made > built.txt", "test -f built.txt"
    assert codes(court.judge(build=build, test=test), tree) == [0, 0]
    assert codes(court.judge(build=build, test=f"{test} "), tree) == [0, 0]
    assert court.count == 2
    # and alone it sees nothing of what was left behind there
    assert codes(court.judge(test=test), tree) == [1]


def test_a_worktree_is_reset_and_cleaned_for_each_tree(court: Court) -> None:
    """Neither changed nor new nor ignored files, nor repositories of one tree are seen by the next; it is made once."""
    first, second = court.commit(a="x"), court.commit(b="x")
    test = (
        'test -z "$(ls -A . | grep -v -x -e .git -f list)" && test "$(cat README.md)" = \'# Example\' || exit 1\n'
        "echo x > README.md; echo x > new.txt; echo x > ignored.log; mkdir build; git init -q nested; touch build/x"
    )
    listed = "printf '%s\\n' $(git ls-tree --name-only HEAD) list > list; "
    with court.judge("merge.parallel_checks=1", test=listed + test) as judge:
        assert [judge.check(tree)[0].exit_code for tree in (first, second, first)] == [0, 0, 0]
    worktree = court.folder.parent / "repo.orch" / "integration"
    inode = worktree.stat().st_ino
    assert codes(court.judge("merge.parallel_checks=1", test=listed + test + " "), second) == [0]
    assert worktree.stat().st_ino == inode


def test_trees_are_judged_side_by_side(court: Court) -> None:
    """Two slots hold two trees at once: each check waits for the other to begin."""
    trees = [court.commit(a="x"), court.commit(b="x")]
    begun = court.place / "begun"
    begun.mkdir()
    both = f"[ $(ls '{begun}' | wc -l) = 2 ]"
    test = f"touch '{begun}'/$(git rev-parse HEAD); until {both}; do sleep 0.02; done"
    with court.judge("merge.parallel_checks=2", test=test) as judge, ThreadPoolExecutor(2) as pool:
        assert judge.parallel == 2
        assert [one[0].exit_code for one in pool.map(judge.check, trees)] == [0, 0]
    names = sorted(path.name for path in (court.folder.parent / "repo.orch").iterdir())
    assert names == ["integration", "integration_2"]


def test_two_processes_never_share_a_worktree(court: Court) -> None:
    """With one slot, a second judge waits for the first: the tree below a check is the one that it judges."""
    trees = [court.commit(a=str(number)) for number in range(4)]
    test = "h=$(git rev-parse HEAD); cat a.txt; sleep 0.1; test $h = $(git rev-parse HEAD)"
    judges = [court.judge("merge.parallel_checks=1", test=test) for _ in trees]
    with ThreadPoolExecutor(len(trees)) as pool:
        found = list(pool.map(lambda pair: pair[0].check(pair[1]), zip(judges, trees, strict=True)))
    assert [one[0].exit_code for one in found] == [0] * 4
    assert [Path(one[0].output).read_text() for one in found] == ["0", "1", "2", "3"]


KILLED = """\
from pathlib import Path
from gitorch.rooms.trees import TreeChecker
from gitorch.services.agents import run_context
from gitorch.services.open import open_workspace
workspace = open_workspace(Path({folder!r}), ["merge.parallel_checks=1"])
TreeChecker(run_context(workspace), {{"test": {test!r}}}).check({tree!r})
"""


def test_what_a_killed_merge_left_running_is_ended_first(court: Court) -> None:
    """A check that outlives its merge works on the tree below it: it is ended before another tree comes there."""
    first, second = court.commit(a="x"), court.commit(b="x")
    ready = court.place / "ready"
    os.mkfifo(ready)
    test = f"echo $$ > '{ready}'; sleep 600"
    script = KILLED.format(folder=court.folder, test=test, tree=first).replace(
        "PosixPath", "__import__('pathlib').Path"
    )
    killed = subprocess.Popen([sys.executable, "-c", script])
    pid = int(ready.read_text())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    os.kill(pid, 0)
    assert codes(court.judge("merge.parallel_checks=1", test="test -f b.txt"), second) == [0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_leaving_the_judge_ends_what_runs(court: Court) -> None:
    """Who is interrupted leaves no check behind, and nothing that was cut short is remembered."""
    tree = court.commit(a="x")
    ready = court.place / "ready"
    os.mkfifo(ready)
    results: list[CheckResult] = []
    with court.judge(test=f"echo $$ > '{ready}'; exec sleep 600") as judge:
        thread = threading.Thread(target=lambda: results.extend(judge.check(tree)))
        thread.start()
        pid = int(ready.read_text())
    thread.join()
    assert [one.exit_code for one in results] == [None]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (judge.cache.path).exists()


def test_a_tree_that_cannot_be_prepared_is_red(court: Court) -> None:
    """The tree may be the reason, as a broken lock file: it is a failing check that can be searched for, and shown."""
    good, bad = court.commit(a="x"), court.commit(bad="x")
    with court.judge('prepare.run=["test ! -f bad.txt"]') as judge:
        assert [one.exit_code for one in judge.check(good)] == [0]
        (result,) = judge.check(bad)
        assert (result.name, result.passed) == ("prepare", False)
        assert "test ! -f bad.txt" in Path(result.output).read_text()


def test_a_preparation_that_fails_once_is_a_flake(court: Court) -> None:
    """What passes only because it was prepared a second time is told, too."""
    prepare = f"prepare.run=[\"mkdir '{court.place}/once' || exit 0; exit 1\"]"
    tree = court.commit(a="x")
    with court.judge(prepare) as judge:
        assert [one.name for one in judge.check(tree)] == ["prepare"]
        assert [(one.name, one.exit_code, one.flaky) for one in judge.check(tree, retry=True)] == [("test", 0, True)]


def test_torn_lines_say_nothing(court: Court) -> None:
    """A line that a crash cut short is no verdict, and does not swallow the next one."""
    tree = court.commit(a="x")
    judge = court.judge()
    codes(judge, tree)
    path = judge.cache.path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert codes(court.judge(), tree) == [0]
    assert court.count == 2
    assert codes(court.judge(), tree) == [0]
    assert court.count == 2


def sealed(line: dict[str, Any]) -> str:
    """Return a line of the file as gitorch writes it."""
    fields = {name: value for name, value in line.items() if name != "seal"}
    return seals.seal(json.dumps(fields).encode(), seals.derived_key("verdict")).decode() + "\n"


def test_an_old_verdict_does_not_count(court: Court) -> None:
    """Tools change: after a week a tree is judged again."""
    tree = court.commit(a="x")
    judge = court.judge()
    codes(judge, tree)
    line = json.loads(judge.cache.path.read_text())
    line["when"] -= MAX_AGE_SECONDS
    judge.cache.path.write_text(sealed(line))
    codes(court.judge(), tree)
    assert court.count == 2


def test_the_file_of_verdicts_does_not_grow_for_ever(court: Court) -> None:
    """It is cut to its newer half, with the newest verdict in it; outputs that nothing names any more go."""
    tree = court.commit(a="x")
    judge = court.judge()
    codes(judge, tree)
    path = judge.cache.path
    line = json.loads(path.read_text())
    executor = court.context().executor
    env = {"PATH": os.environ["PATH"]}
    old = executor.submit(Spec(key="merges/old/tree/check-test", argv=("true",), env=env))
    assert isinstance(executor.wait(old), Exit)
    location = Path(executor.output_location(old, "stdout"))
    os.utime(location.parent / "spec.json", (1, 1))
    path.write_text("".join(sealed({**line, "tree": f"{number:040}"}) for number in range(4_000)))
    newest = court.commit(b="x")
    with court.judge() as last:
        last.check(newest)
    assert len(path.read_text().splitlines()) == 2_000
    assert executor.poll(old) == NotStarted()
    assert not location.parents[2].exists()
    assert len(executor.executions(last.key)) == 1
    looks = court.count
    codes(court.judge(), newest)
    assert court.count == looks


def test_no_checks_judge_nothing(court: Court) -> None:
    """Nothing is called green that was not judged."""
    with TreeChecker(court.context(), {}) as judge:
        assert judge.check(court.commit(a="x")) == ()


def test_the_number_of_slots_is_checked(court: Court) -> None:
    """A setting that makes no sense is refused."""
    for name in ("merge.parallel_checks", "merge.max_checks"):
        with pytest.raises(InvalidInput, match=name):
            court.context(f"{name}=-1")
