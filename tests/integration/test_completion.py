"""The completion scripts in real shells, under all three names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from gitorch import data
from gitorch.cli.main import orchestrate
from gitorch.cli.session import Name
from gitorch.model.naming import TaskId
from gitorch.model.task import State
from gitorch.services.open import open_workspace
from tests.support import forkserver
from tests.support.git import git
from tests.support.tasks import make_task

# a function that stands for what git's completion does for a command of its own
_BASH = """
. {script}
COMP_WORDS=({words}) COMP_CWORD={index}
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# outside of its line editor zsh has no `compadd`: these print what they are given
_ZSH = """
compadd() {{ local name=${{@[-1]}}; print -l -- ${{(P)name}} }}
_describe() {{ local name=$3; print -l -- ${{${{(P)name}}%%:*}} }}
compdef() {{ :; }}
. {script}
words=({words}) CURRENT={index}+1
{function}
"""


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with a task in some states, and branches with and without words of a shell in their names."""
    store = open_workspace(repository_folder).store
    now = datetime(2026, 11, 29, tzinfo=UTC)
    states = {"login": State.FINISHED, "logout": State.APPROVED, "later": State.QUEUED}
    tasks = [
        make_task(id=TaskId(name), number=number, title=name, prompt=name, state=state, created=now)
        for number, (name, state) in enumerate(states.items(), start=1)
    ]
    store.save(tasks)
    store.snapshot()
    git("branch", "feature/one", cwd=repository_folder)
    git("remote", "add", "origin", "/nowhere", cwd=repository_folder)
    git("branch", "$(touch${IFS}hacked)", cwd=repository_folder)
    return repository_folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    path = tmp_path / "bin"
    path.mkdir()
    forkserver.server().install(path)
    return path


def run(program: Sequence[str], text: str, folder: Path, programs: Path) -> list[str]:
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run([*program, text], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def script(name: str, tmp_path: Path) -> Path:
    path = tmp_path / name
    path.write_text(data.completion(name))
    return path


ANSWERS = {
    "app": ["apply", "approve"],
    "approve ''": ["login"],
    "merge ''": ["logout"],
    "move ''": ["later"],
    "task log": ["login", "logout"],
    "submit --agent cl": ["claude"],
    "submit --role backend": ["backend-systems-engineer"],
    "submit --agents claude,co": ["claude,codex"],
    "plan new --agent cl": ["claude"],
    "plan add some-plan Text --agent co": ["codex"],
    "plan add some-plan Text --role backend": ["backend-systems-engineer"],
    "context show log": ["login", "logout"],
    "notes push ''": ["origin"],
    "merge --remote o": ["origin"],
    "-c run.max_a": ["run.max_agents="],
    "status -c run.max_a": ["run.max_agents="],
    "adopt feat": ["feature/one"],
    "adopt '$'": [],
    "config get run.max_a": ["run.max_agents"],
    "help exit": ["exit-codes"],
    "hooks ''": ["install", "remove", "status"],
}
"""What a line is completed to; the last word is the one that is being written."""


def test_bash_completes(folder: Path, programs: Path, tmp_path: Path) -> None:
    """Names in the states that a command takes; a branch whose name a shell would expand is not offered."""
    path = script("orchestrate.bash", tmp_path)
    lines = [
        _BASH.format(script=path, words=f"orchestrate {words}", index=len(words.split()), function="_orchestrate")
        for words in ANSWERS
    ]
    printed = run(["bash", "--norc", "-c"], "echo END\n".join(lines), folder, programs)
    expected = " END ".join(" ".join(names) for names in ANSWERS.values())
    assert printed == expected.split()


def test_bash_completes_for_git(folder: Path, programs: Path, tmp_path: Path) -> None:
    words = "git -C . orchestrate approve ''"
    path = script("orchestrate.bash", tmp_path)
    text = _BASH.format(script=path, words=words, index=5, function="__git_cmd_idx=3; _git_orchestrate")
    assert run(["bash", "--norc", "-c"], text, folder, programs) == ["login"]
    assert "-F _orchestrate gitorch" in _registered(path, folder, programs)


def _registered(path: Path, folder: Path, programs: Path) -> str:
    return " ".join(run(["bash", "--norc", "-c"], f". {path}; complete -p gitorch", folder, programs))


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes(folder: Path, programs: Path, tmp_path: Path) -> None:
    path = script("_orchestrate", tmp_path)
    for words in ANSWERS:
        for function in ("_orchestrate", "_git-orchestrate"):
            line = f"orchestrate {words}"
            text = _ZSH.format(script=path, words=line, index=len(words.split()), function=function)
            assert run(["zsh", "-f", "-c"], text, folder, programs) == ANSWERS[words]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(folder: Path, programs: Path, tmp_path: Path) -> None:
    path = script("orchestrate.fish", tmp_path)
    for program in ("orchestrate", "gitorch", "git orchestrate"):
        for words in ANSWERS.keys() - {"adopt '$'"}:  # fish refuses such a line
            line = f"{program} {words}".replace("''", "")
            printed = run(["fish", "--no-config", "-c"], f'. {path}; complete -C "{line}"', folder, programs)
            assert [*printed[:1]] == ANSWERS[words][:1]


_KNOWN_NAMES = {"agent", "agents", "role", "remote", "base", "into", "after", "before", "skip", "tasks", "task", "plan"}


def _parameters(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _parameters(inner, (*path, name))
    yield from ((path, parameter) for parameter in command.params)


def test_every_name_that_the_repository_knows_is_completed() -> None:
    """What is called after an agent, a role, a task, a plan, a branch or a remote, takes one."""
    taken = [(path, parameter) for path, parameter in _parameters(orchestrate) if parameter.name in _KNOWN_NAMES]
    assert len(taken) > 30
    bare = [
        (" ".join(path), parameter.name)
        for path, parameter in taken
        if not isinstance(parameter.type, Name) and not getattr(parameter, "is_flag", False)
    ]
    assert bare == []
