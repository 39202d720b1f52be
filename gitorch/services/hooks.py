"""The git hooks that a person installs into a repository: nothing but `hooks install` writes them."""

from __future__ import annotations

from gitorch import data
from gitorch.errors import Refused
from gitorch.git import user_hooks
from gitorch.git.user_hooks import HooksFolder, HookStatus
from gitorch.services import people_only
from gitorch.services.workspace import Workspace


def status(workspace: Workspace) -> tuple[HooksFolder, list[HookStatus]]:
    """Return where the hooks belong, and how each stands."""
    folder = user_hooks.find_folder(workspace.repository)
    return folder, user_hooks.status(folder.path, _scripts(workspace))


def install(workspace: Workspace) -> list[HookStatus]:
    """Install the hooks, or bring them up to date; raise `Refused` where the folder is not this repository's alone."""
    people_only.require_person("install hooks")
    folder = user_hooks.find_folder(workspace.repository)
    scripts = _scripts(workspace)
    if folder.problem:
        lines = (f'orchestrate hooks run {name} "$@"' for name in scripts)
        fixes = (f"add to {folder.path / name}: {line}" for name, line in zip(scripts, lines, strict=True))
        raise Refused("hooks-folder", f"cannot install hooks into {folder.path}", why=folder.problem, fix=(*fixes,))
    return user_hooks.install(folder.path, scripts)


def remove(workspace: Workspace) -> list[HookStatus]:
    """Remove the hooks and put back what was in their place; return how each stood before."""
    people_only.require_person("remove hooks")
    folder = user_hooks.find_folder(workspace.repository)
    return user_hooks.remove(folder.path, _scripts(workspace))


def script(workspace: Workspace, name: str) -> str:
    """Return the text of a hook, for one of the user's hooks that runs it; raise KeyError for an unknown name."""
    return _scripts(workspace)[name].decode()


def _scripts(workspace: Workspace) -> dict[str, bytes]:
    config = workspace.config
    # no branch has a space in its name
    values = {"PREFIX": config.prefix or " ", "INTEGRATION": config.integration}
    return {name: user_hooks.script(body, values) for name, body in data.hooks().items()}
