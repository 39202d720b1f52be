"""What every test stands on: a sealed environment, and a copy of a small git repository."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

from gitorch.git.repository import Repository
from tests.support import forkserver
from tests.support.git import CONFIG, DATE, standard

# the gate judges the same examples each time; GITORCH_TEST_SCALE looks for new ones
_SEARCHES = "GITORCH_TEST_SCALE" in os.environ
hypothesis.settings.register_profile(
    "gitorch", database=None, deadline=None, print_blob=True, derandomize=not _SEARCHES
)
hypothesis.settings.load_profile("gitorch")

# a fork that collects what its parent had of a library with threads of its own (Temporal's) waits for these for ever
os.register_at_fork(after_in_child=gc.freeze)

_FOREIGN = ("GIT", "ANTHROPIC_", "OPENAI_", "CLAUDE", "CODEX_", "XDG_")
_KEPT = "GITORCH_TEST_"
_ALONE = ("NO_COLOR", "FORCE_COLOR", "EDITOR", "VISUAL", "PAGER", "EMAIL", "USE_API_MODE", "MAX_AGENTS", "LC_ALL")


def sealed(folder: Path) -> dict[str, str]:
    """Return what is set in every test: a home of its own, and a git that reads nothing of this machine's."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "gitconfig"
    config.write_text(CONFIG)
    xdg = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TERMINAL_PROMPT": "0",
        # the wall is the subject of some tests only: they set the mode that they need
        "GITORCH_SANDBOX_MODE": "off",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        **xdg,
    }


def foreign(name: str) -> bool:
    """Tell whether a variable of whoever runs the tests would change what they see."""
    return (name.startswith(_FOREIGN) and not name.startswith(_KEPT)) or name in _ALONE


@pytest.fixture(autouse=True)
def _sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's environment out of the test, and the test out of the machine's home."""
    for name in filter(foreign, [*os.environ]):
        monkeypatch.delenv(name)
    # beside the test's own folder, which stays empty
    for name, value in sealed(tmp_path_factory.mktemp("sealed")).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the standard repository once."""
    folder = tmp_path_factory.mktemp("standard")
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(foreign, [*os.environ]):
            patch.delenv(name)
        dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
        for name, value in (sealed(folder) | dates).items():
            patch.setenv(name, value)
        return standard(folder / "repo")


@pytest.fixture
def repository_folder(tmp_path: Path, _template: Path) -> Path:
    """A fresh copy of the standard repository, with `main` checked out."""
    return Path(shutil.copytree(_template, tmp_path / "repo", symlinks=True))


@pytest.fixture
def repo(repository_folder: Path) -> Repository:
    """The standard repository, as gitorch sees it."""
    return Repository.discover(repository_folder)


@pytest.fixture
def forked_acp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the client process of ACP agents as a fork of a process that has imported the protocol's library."""
    python = str(forkserver.acp_server().install_python(tmp_path_factory.mktemp("python")))
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setenv(forkserver.PYTHON, python)


@pytest.fixture
def forked_api(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the api agent as a fork of a process that has imported its SDK: where its start is not the point."""
    python = str(forkserver.api_server().install_python(tmp_path_factory.mktemp("python")))
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setenv(forkserver.PYTHON, python)
