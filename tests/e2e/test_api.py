"""The public API: documented, sorted, cheap to import, and enough for a whole day."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import gitorch
import gitorch.api
from tests.support.git import commit, git

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_names_are_sorted_documented_and_all_there_is() -> None:
    """`__all__` is the one list: sorted, the same as that of `gitorch.api`, and each name is in the docs."""
    names = [name for name in gitorch.__all__ if not name.startswith("__")]
    assert names == sorted(names)
    assert names == gitorch.api.__all__
    text = DOCS.read_text("utf-8")
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []
    assert {*names} <= {*dir(gitorch)}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gitorch.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_each_function_says_what_it_does() -> None:
    """Every public function and value has a docstring, and every parameter a type."""
    for name in gitorch.__all__:
        value = getattr(gitorch, name)
        if not isinstance(value, str | ModuleType):
            assert inspect.getdoc(value), name
        if inspect.isfunction(value):
            parameters = inspect.signature(value).parameters.values()
            assert all(parameter.annotation is not parameter.empty for parameter in parameters), name


def test_importing_it_is_cheap() -> None:
    """`import gitorch` imports no other module of this package but the one with its version."""
    code = "import gitorch, sys; print([name for name in sys.modules if name.startswith('gitorch.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['gitorch.version']"


def test_the_example_of_the_docs_runs(repository_folder: Path) -> None:
    """The script in docs/api.md queues two tasks, runs them, approves, merges and takes the merge back."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert re.findall(r"^(?:import|from) .*", example, re.MULTILINE) == ["import gitorch"]
    done = subprocess.run([sys.executable, "-c", example], cwd=repository_folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "add-a-login-page finished orch/add-a-login-page" in done.stdout
    assert "goes in: ['add-a-login-page', 'test-the-login-page']" in done.stdout
    assert "does not: []" in done.stdout
    refs = git("for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=repository_folder).splitlines()
    assert {"orch/add-a-login-page", "orch/test-the-login-page"} <= {*refs}
    assert "orch/integration" not in refs, "the merge was taken back"


def test_what_goes_wrong_is_an_error_of_its_own(repository_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors carry a code and what to do; a task can be sent back, rejected and tried again."""
    settings = ["agent = 'script'", "agents.script.kind = 'command'"]
    settings.append("agents.script.command = ['sh', '-c', 'echo work >> work.txt']")
    monkeypatch.chdir(repository_folder)
    workspace = gitorch.open_workspace(settings=settings)
    with pytest.raises(gitorch.InvalidInput) as empty:
        gitorch.submit(workspace, " ")
    assert empty.value.code == "empty-prompt"
    with pytest.raises(gitorch.NotFound):
        gitorch.approve(workspace, ["nobody"])
    task = gitorch.submit(workspace, "Work\nhard", priority=gitorch.Priority.HIGH, checks={"red": "false"})
    assert (task.title, task.spec.priority, task.state) == ("Work", gitorch.Priority.HIGH, gitorch.State.QUEUED)
    states: list[str] = []
    summary = gitorch.run(workspace, on_change=lambda tasks: states.extend(str(task.state) for task in tasks))
    assert isinstance(summary, gitorch.RunSummary)
    assert states[-1] == "finished"
    with pytest.raises(gitorch.Refused) as refused:
        gitorch.approve(workspace, ["work"])
    assert refused.value.code == "checks-failed"
    gitorch.comment(workspace, "work", "too short", file="work.txt", line=1)
    assert gitorch.revise(workspace, "work", "once more").comments[-1].text == "once more"
    gitorch.run(workspace)
    assert gitorch.find_task(workspace, "1").attempts == 2
    assert gitorch.approve(workspace, ["work"], force=True, reviewer="Una")[0].state is gitorch.State.APPROVED
    commit(repository_folder, "Elsewhere\n", {"work.txt": "mine\n"})
    plan = gitorch.plan_merge(workspace, ["work"], verify="never")
    assert [conflict.task.id for conflict in plan.conflicts] == ["work"]
    assert gitorch.reject(workspace, "work", "no").state is gitorch.State.REJECTED
    assert gitorch.undo(workspace).target.kind == "reject"
    assert gitorch.find_task(workspace, "work").state is gitorch.State.APPROVED
    gitorch.redo(workspace)
    assert gitorch.find_task(workspace, "work").state is gitorch.State.REJECTED


def test_a_file_of_tasks_is_queued(repository_folder: Path, tmp_path: Path) -> None:
    """`submit_file` takes what `submit -F` takes; `kill` stops what waits, and `retry` queues it again."""
    workspace = gitorch.open_workspace(str(repository_folder))
    file = tmp_path / "tasks.toml"
    file.write_text("[[task]]\ntitle = 'One'\n\n[[task]]\ntitle = 'Two'\nafter = ['one']\n")
    assert [task.id for task in gitorch.submit_file(workspace, file)] == ["one", "two"]
    assert [task.state for task in gitorch.kill(workspace, ["one"])] == [gitorch.State.CANCELLED]
    assert [task.state for task in gitorch.retry(workspace, ["one"])] == [gitorch.State.QUEUED]


def test_what_the_command_line_refuses_is_refused(repository_folder: Path) -> None:
    """A value out of range or of no meaning is an error of the API, and not one of the run, or of nobody."""
    settings = ["agent = 'script'", "agents.script.kind = 'command'"]
    settings.append("agents.script.command = ['sh', '-c', 'echo work > work.txt']")
    workspace = gitorch.open_workspace(str(repository_folder), settings=settings)
    task = gitorch.submit(workspace, "Work")
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: gitorch.submit(workspace, "x", priority="soon"), "argument"),  # type: ignore[arg-type]
        (lambda: gitorch.submit(workspace, "x", budget=-1), "argument"),
        (lambda: gitorch.submit(workspace, "x", timeout=-1), "argument"),
        (lambda: gitorch.run(workspace, max_agents=0), "argument"),
        (lambda: gitorch.run(workspace, budget=-1), "argument"),
        (lambda: gitorch.run(workspace, max_unreviewed=-1), "argument"),
        (lambda: gitorch.plan_merge(workspace, verify="often"), "argument"),
        (lambda: gitorch.comment(workspace, task.id, "here", line=1), "argument"),
        (lambda: gitorch.comment(workspace, task.id, " "), "no-comment"),
    ]
    for call, code in calls:
        with pytest.raises(gitorch.InvalidInput) as refused:
            call()
        assert refused.value.code == code
    assert [*workspace.tasks.values()] == [task]


def test_one_name_is_a_list_of_one(repository_folder: Path) -> None:
    """A name where a list is expected is that name, and not its letters; the comment's first word is its severity."""
    workspace = gitorch.open_workspace(str(repository_folder))
    first = gitorch.submit(workspace, "First")
    second = gitorch.submit(workspace, "Second", after=first.id, paths="src/**")
    assert (second.spec.after, second.spec.paths) == ((first.id,), ("src/**",))
    assert [task.id for task in gitorch.kill(workspace, first.id)] == [first.id]
    assert [task.id for task in gitorch.retry(workspace, first.id)] == [first.id]
    (comment,) = gitorch.comment(workspace, first.id, "must: say why").comments
    assert (comment.severity, comment.text) == ("must", "say why")
