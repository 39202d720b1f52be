"""`gh`, the command line of GitHub: run it, and decode what it prints."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from gitorch import typed
from gitorch.errors import Refused, SetupNeeded
from gitorch.executors.probe import probe
from gitorch.services.workspace import Workspace

_T = TypeVar("_T")

_SECONDS = 120.0


def gh_json(workspace: Workspace, *words: str, kind: type[_T]) -> _T:
    """Run `gh` and decode what it printed; raise `Refused` if that is something else."""
    answer = gh(workspace, *words)
    try:
        return typed.from_json(answer, kind)
    except msgspec.DecodeError as error:
        command = " ".join(["gh", *words[:2]])
        raise Refused(
            "gh-failed", f"{command} answered something else", why=str(error), fix=("gh --version",)
        ) from None


def gh(workspace: Workspace, *words: str, input: str = "") -> str:
    """Run `gh` in the checkout and return what it printed; raise `SetupNeeded` or `Refused` if it fails."""
    folder = workspace.repository.checkout or workspace.repository.common_dir
    environment = {**workspace.environment, "GH_PROMPT_DISABLED": "1", "NO_COLOR": "1"}
    answer = probe(["gh", *words], environment, _SECONDS, cwd=folder, input=input.encode())
    if answer.exit_code is None:
        raise SetupNeeded(
            "gh-missing",
            "`gh` cannot be started",
            why=answer.stderr,
            fix=("install it: https://cli.github.com", "gh auth login"),
        )
    if answer.exit_code != 0 and words[0] == "auth":
        raise SetupNeeded("gh-login", "gh is not logged in", why=answer.stderr.strip(), fix=("gh auth login",))
    if answer.exit_code != 0:
        command = " ".join(["gh", *words[:2]])
        raise Refused("gh-failed", f"{command} failed", why=answer.stderr.strip(), fix=("gh auth status",))
    return answer.stdout
