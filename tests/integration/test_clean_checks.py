"""Checks see what a task committed and what `[prepare]` makes, and nothing that an agent or an earlier check left."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.executors.protocol import Spec
from gitorch.flow import attempt, intake
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import State, Task
from gitorch.rooms.checks import CheckRun
from gitorch.rooms.context import RunContext
from gitorch.rooms.trees import CheckCache, WorktreePool, check_commit, environment_digest
from gitorch.services.open import open_workspace
from tests.support.git import commit, git

LEAVES = """
mkdir -p sub; printf 'nested.txt\\n' > sub/.gitignore; git add sub; git commit -qm sub
for name in excluded.txt global.txt sub/nested.txt; do echo made > $name; done
mkdir node_modules; echo made > node_modules/x; echo '*' > node_modules/.gitignore
echo kept > uncommitted.txt
"""


def context_of(folder: Path, script: str, *settings: str, mode: str = "off") -> RunContext:
    """Return what attempts are run with; the agent is a shell script."""
    command = msgspec.json.encode(["sh", "-c", script]).decode()
    config = ['agents.scripted.kind="command"', f"agents.scripted.command={command}", 'agent="scripted"', *settings]
    environment = {**os.environ, "GITORCH_SANDBOX_MODE": mode}
    return services.agents.run_context(open_workspace(folder, config, environment))


def run(context: RunContext, checks: dict[str, str]) -> Task:
    (task,) = intake.resolve([intake.from_text("Add greeting")], {}, 1)
    task = msgspec.structs.replace(task, spec=msgspec.structs.replace(task.spec, agent="scripted", role="generalist"))
    started = attempt.start(context, task, Oid(git("rev-parse", "main", cwd=context.repository.common_dir)))
    *_, ended = attempt.run(context, started, checks)
    return ended


def codes(task: Task) -> dict[str, int | None]:
    return {result.name: result.exit_code for result in task.results}


@pytest.mark.parametrize("mode", ["off", "private"])
def test_a_check_sees_no_ignored_file(repository_folder: Path, mode: str) -> None:
    """Whoever ignores it; what the agent did not commit was committed for it; `prepare.copy` brings a file along."""
    excludes = repository_folder.parent / "excludes"
    excludes.write_text("global.txt\n")
    git("config", "core.excludesFile", str(excludes), cwd=repository_folder)
    with (repository_folder / ".git" / "info" / "exclude").open("a") as file:
        file.write("excluded.txt\n.env\n")
    (repository_folder / ".env").write_text("A=1\n")
    context = context_of(repository_folder, LEAVES, 'prepare.copy=[".env"]', mode=mode)
    names = {
        "excluded.txt": 1,
        "global.txt": 1,
        "sub/nested.txt": 1,
        "node_modules/x": 1,
        "uncommitted.txt": 0,
        ".env": 0,
    }
    task = run(context, {name.replace("/", "-"): f"test -e {name}" for name in names})
    assert (task.state, codes(task)) == (State.FINISHED, {name.replace("/", "-"): code for name, code in names.items()})
    assert (Path(task.worktree) / "excluded.txt").exists() or mode == "private"


def test_a_check_leaves_nothing_for_the_next(repository_folder: Path) -> None:
    """Neither a file of the same size and time, nor one in a submodule, nor flags, nor an index of its own."""
    git("config", "core.checkStat", "minimal", cwd=repository_folder)
    git("config", "core.trustCtime", "false", cwd=repository_folder)
    tip = Oid(git("rev-parse", "main", cwd=repository_folder))
    git("update-index", "--add", "--cacheinfo", f"160000,{tip},module", cwd=repository_folder)
    commit(repository_folder, "Add a judge", {"judge": "exit 1"})
    first = git("rev-parse", "HEAD", cwd=repository_folder)
    second = commit(repository_folder, "Go on", {"other": "x\n"})
    age = "touch -d @978307200 judge"
    # git compares the times of changes in seconds, and the clock of files is up to 10 ms behind that of `date`
    tick = "s=$(date +%s); until [ $(date +%s) != $s ]; do sleep 0.02; done; sleep 0.05"
    tamper = (
        f"{age}; git update-index --refresh -q; {tick}; "
        f"printf 'exit 0' > judge; {age}; mkdir -p module; echo x > module/x"
    )
    hide = "echo x > y; git update-index --assume-unchanged README.md; echo x > README.md"
    context = context_of(repository_folder, "")
    assert results(context, first, tamper, hide) == [0, 0]
    assert results(context, second, "! sh judge", "test ! -e module/x", "test ! -e y", "grep Example README.md") == [
        0,
        0,
        0,
        0,
    ]
    # an index that git cannot read: the worktree is made again
    assert results(
        context, second, "rm $(git rev-parse --git-path index); mkdir $(git rev-parse --git-path index)"
    ) == [0]
    assert results(context, second, "! sh judge", "grep Example README.md") == [0, 0]


def results(context: RunContext, tip: str, *checks: str) -> list[int | None]:
    return [check.result.exit_code for check in check_results(context, tip, *checks)]


def check_results(context: RunContext, tip: str, *checks: str) -> tuple[CheckRun, ...]:
    pool = WorktreePool(context, ["check_1"])
    named = {str(number): command for number, command in enumerate(checks)}

    def execute(spec: Spec) -> Exit:
        status = context.executor.wait(context.executor.submit(spec))
        assert isinstance(status, Exit)
        return status

    return check_commit(context, pool, named, Oid(tip), key=f"checks/{next(_NUMBERS)}", execute=execute)


_NUMBERS = itertools.count()


def test_git_in_a_check_changes_nothing_of_the_user(repository_folder: Path) -> None:
    """Without a sandbox, its commits, tags and settings go to a repository of its own; afterwards `.git` leads back."""
    context = context_of(repository_folder, "", mode="private")
    before = git("for-each-ref", cwd=repository_folder)
    tip = git("rev-parse", "main", cwd=repository_folder)
    commands = ["git config a.b c", "git tag t", "git commit -q --allow-empty -m x", "git stash list"]
    assert results(context, tip, *commands) == [0, 0, 0, 0]
    assert git("for-each-ref", cwd=repository_folder) == before
    assert git("config", "--get", "a.b", cwd=repository_folder, ok=(1,)) == ""
    slot = repository_folder.parent / "repo.orch" / "check_1"
    assert git("rev-parse", "HEAD", cwd=slot) == tip
    assert git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=slot) == str(repository_folder / ".git")


def test_a_merge_need_not_check_the_same_tree_again(repository_folder: Path) -> None:
    """The result of a task's check is remembered by its tree, also where the tree could not be prepared."""
    context = context_of(repository_folder, "echo x > x")
    checks = {"test": "test -e x"}
    task = run(context, checks)
    assert task.tip
    tree = context.repository.tree(task.tip)
    cached = CheckCache(context.folder, context.executor).find(tree, checks, environment_digest(context, checks))
    assert cached is not None
    assert cached.results == task.results


def test_a_tree_that_cannot_be_prepared_is_red(repository_folder: Path) -> None:
    """What the agent committed broke `[prepare]`, which worked on its base: the task says so."""
    prepare = 'prepare.run=["test ! -e broken || { echo no such package; exit 3; }"]'
    task = run(context_of(repository_folder, "echo x > broken", prepare), {"test": "true"})
    assert (task.state, task.reason, codes(task)) == (State.FINISHED, "checks failed: prepare", {"prepare": None})
    assert "no such package" in Path(task.results[0].output).read_text()


def test_too_much_memory_is_an_outcome(repository_folder: Path) -> None:
    """The agent is ended, and the task says why; of a check, the agent is told why."""
    hog = "python3 -c 'held = bytearray(150_000_000); input()' < /dev/zero"
    limit = 'sandbox.memory="100MB"'
    task = run(context_of(repository_folder, hog, limit), {})
    assert (task.state, task.reason) == (State.FAILED, "used more than 100 MB of memory")
    runs = check_results(context_of(repository_folder, "", limit), git("rev-parse", "main", cwd=repository_folder), hog)
    assert [(check.result.exit_code, check.failure) for check in runs] == [
        (None, "the check used more than 100 MB of memory, and was ended")
    ]
