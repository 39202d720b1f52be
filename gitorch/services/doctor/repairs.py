"""What `doctor --fix` does: a closed list of small changes, each safe, named before it is made, and asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitorch.git.protected import ref_guard
from gitorch.services import hooks, people_only
from gitorch.services.workspace import Workspace

HOOK_MODES, HOOKS = "hook-modes", "hooks"

DESCRIPTIONS: Mapping[str, str] = {
    HOOK_MODES: "make gitorch's hooks executable",
    HOOKS: "bring the installed git hooks up to date",
}


def carry_out(workspace: Workspace, name: str) -> None:
    """Make one of the repairs in `DESCRIPTIONS`."""
    people_only.require_person("repair the setup")
    _REPAIRS[name](workspace)


def _make_executable(_workspace: Workspace) -> None:
    for path in ref_guard.HOOKS_FOLDER.iterdir():
        if path.suffix == "":
            path.chmod(path.stat().st_mode | 0o111)


def _update_hooks(workspace: Workspace) -> None:
    hooks.install(workspace)


_REPAIRS: Mapping[str, Callable[[Workspace], None]] = {
    HOOK_MODES: _make_executable,
    HOOKS: _update_hooks,
}
