"""The victims of all attacks of a session, and the environment that is theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.attacks.services import Services, serving
from tests.attacks.victims import Victims, build, with_bare_worktree
from tests.conftest import foreign, sealed

pytest.register_assert_rewrite("tests.attacks.night")


@pytest.fixture(scope="session")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Victims:
    """Build them once."""
    top = tmp_path_factory.mktemp("victims") / "top"
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, sealed(top))
        return build(top)


@pytest.fixture(scope="session")
def bare_victims(victims: Victims) -> Victims:
    """The same, with a worktree that no gitorch guards."""
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, sealed(victims.top))
        return with_bare_worktree(victims)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Run the user's services."""
    with serving(tmp_path_factory.mktemp("services")) as services:
        yield services


@pytest.fixture(autouse=True)
def _as_the_victim(request: pytest.FixtureRequest, _sealed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test's commands be the user's, where it has victims."""
    if "victims" in request.fixturenames or "bare_victims" in request.fixturenames:
        _enter(monkeypatch, sealed(request.getfixturevalue("victims").top))


def _enter(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in filter(foreign, [*os.environ]):
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)
