"""Start-up is a feature: what is asked for all the time loads nothing that it does not need."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.services.open import open_workspace
from tests.bench.status import FOREIGN, loaded, thousand
from tests.support import days
from tests.support.cli import Cli, saved, told

_LAZY = {
    "concurrent.futures",
    "gitorch.agents",
    "gitorch.agents.api.adapter",
    "gitorch.executors.local",
    "gitorch.executors.temporal",
    "temporalio",
    "gitorch.flow.attempt",
    "gitorch.replay",
}


def _with_ten_tasks(folder: Path) -> None:
    store = open_workspace(folder).store
    store.save(thousand(10))
    store.snapshot()


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("status",), {}),
        (("status", "--json"), {}),
        (("-h",), {}),
        (("run", "-h"), {}),
        ((), {"_ORCHESTRATE_COMPLETE": "bash_complete", "COMP_WORDS": "orchestrate ta", "COMP_CWORD": "1"}),
        ((), {"_ORCHESTRATE_COMPLETE": "bash_complete", "COMP_WORDS": "orchestrate task t", "COMP_CWORD": "2"}),
    ],
)
def test_a_quick_command_loads_little(
    repository_folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Neither the API's library nor GitPython, nor what only a run needs, is loaded to look at ten tasks."""
    _with_ten_tasks(repository_folder)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = loaded(repository_folder, *words)
    assert "gitorch.cli" in found, "the command did not run"
    assert found & {*FOREIGN, *_LAZY} == set()


@pytest.mark.parametrize(
    "command", ["status", "run", "watch", "plan", "plan add", "plan new", "review", "merge", "submit"]
)
def test_help_does_not_load_rich(tmp_path: Path, command: str) -> None:
    """The help of a command loads neither rich nor the schemas nor what the command does."""
    modules = loaded(tmp_path, *command.split(), "-h")
    assert "gitorch.cli.commands" in modules, "the command was not loaded"
    assert not {name for name in modules if name.startswith(("gitorch.cli.schema.", "gitorch.cli.views."))}
    assert modules & {*FOREIGN, *_LAZY, "rich.console", "rich.text"} == set()


@pytest.mark.parametrize("words", [("status",), ("-h",), ("run", "-h")])
def test_only_json_loads_the_schemas(repository_folder: Path, words: tuple[str, ...]) -> None:
    """The structs of the JSON answers are loaded with --json."""
    _with_ten_tasks(repository_folder)
    assert not {name for name in loaded(repository_folder, *words) if name.startswith("gitorch.cli.schema.")}
    answer = {name for name in loaded(repository_folder, "status", "--json") if name.startswith("gitorch.cli.schema.")}
    assert answer == {f"gitorch.cli.schema.{name}" for name in ("answer", "forecast", "resolution", "status", "task")}


def test_a_merge_without_checks_loads_no_rooms(repository_folder: Path) -> None:
    """What programs run in, agents and a bar for the terminal are not loaded where no check runs."""
    days.approve(days.finished(repository_folder, "one", "two"), "one", "two")
    found = loaded(repository_folder, "merge", "-q")
    assert "gitorch.services.merging.merge" in found, "the command did not run"
    heavy = {"gitorch.rooms.trees", "gitorch.rooms.context", "gitorch.syntax", "rich.progress", "rich.live"}
    assert found & {*FOREIGN, *_LAZY - {"gitorch.replay"}, *heavy} == set()


def test_completing_a_command_loads_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names and summaries of all commands are known without any of them."""
    variables = {"_ORCHESTRATE_COMPLETE": "bash_complete", "COMP_WORDS": "orchestrate ", "COMP_CWORD": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = loaded(tmp_path)
    assert "click.shell_completion" in found, "nothing was completed"
    assert not {name for name in found if name.startswith(("gitorch.cli.commands.", "msgspec"))}


def test_a_run_without_conflicts_loads_little(repository_folder: Path) -> None:
    """YAML, TLS, the matcher of globs, the merge by structure and other agents are for what few runs meet."""
    cli = Cli(repository_folder)
    cli("submit", told("Write a file", saved("new.txt", "new")))
    found = loaded(repository_folder, "run")
    assert cli.states() == {"write-a-file": "finished"}
    assert found & {"anthropic", "yaml", "ssl", "pathspec", "gitorch.syntax.proposals", "tomllib"} == set()
    names = ("acp.adapter", "claude.adapter", "codex.adapter", "codex.stream", "limit_reset")
    assert found & {f"gitorch.agents.{name}" for name in names} == set()
    assert "gitorch.agents.command" in found


def test_status_loads_no_openssl(repository_folder: Path) -> None:
    """Neither seals nor fingerprints of records need it."""
    _with_ten_tasks(repository_folder)
    loaded(repository_folder, "status")  # the first one records where the repository is
    found = loaded(repository_folder, "status")
    assert "gitorch.storage.seals" in found, "the command did not run"
    assert found & {"_hashlib", "hmac", "ssl"} == set()


def test_the_check_sees_what_a_command_loads(repository_folder: Path) -> None:
    """A command that needs more does load it: the sets above can tell."""
    _with_ten_tasks(repository_folder)
    assert "gitorch.executors.local" in loaded(repository_folder, "agents")
