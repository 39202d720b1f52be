"""Watch commands of the repository that run outside of a run: checks of `merge`, and the preflight's.

A run compares by itself what its agents moved. These commands run what agents wrote, too: the tests of a branch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gitorch.git.protected import fingerprint, ref_guard, refs_and_settings, repository_state
from gitorch.git.repository import GitFailed
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import branch_ref
from gitorch.services import protection, run_lock
from gitorch.services.change_watch import startup_files
from gitorch.services.change_watch.differences import differences, with_own_changes
from gitorch.services.workspace import Workspace
from gitorch.storage import foreign_changes, own_changes, seals

_OF_A_PERSON = ("index", "ORIG_HEAD", "logs/HEAD")
"""What changes whenever a person works in the checkout meanwhile."""


class CommandWatch:
    """Compares what commands must not change, from before the first of them; see `watched_commands`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._is_started = False
        self._before: dict[str, str] | None = None

    def start(self) -> None:
        """Look at the repository before a command runs, from any thread; only the first call does."""
        with self._lock:
            if not self._is_started and not _is_watched_already(self._workspace):
                seals.derived_key("watch")  # made where it is first needed: not by a command that is watched
                self._before = _survey(self._workspace)
            self._is_started = True

    def finish(self) -> None:
        """Record what has moved since the start, if there was one, and was not moved by gitorch."""
        if self._before is None:
            return
        workspace = self._workspace
        after, record = _survey(workspace), own_changes.read(workspace.folder)
        branches: dict[str, str | None] = {
            branch_ref(task.branch): task.tip for task in workspace.tasks.values() if task.branch
        }
        expected, _ = with_own_changes(self._before, after, record, branches, workspace.repository)
        lines = map(redacted, repository_state.name_settings(differences(expected, after)))
        workspace.store.moved += foreign_changes.record(workspace.folder, lines)


@contextmanager
def watched_commands(workspace: Workspace) -> Iterator[CommandWatch]:
    """Keep what moves in the repository while commands run in this block, and was not moved by gitorch.

    Whoever runs a command calls `start` before it. So nothing is compared where all results are known already.
    Compares refs, HEAD, the stash, settings and hooks of git (also the user's and the machine's), and the files that
    start programs. It does not compare files of a checkout, which a person may be editing. Does nothing where a sandbox
    keeps all of that out of reach, and during a run. What moved is recorded until it is acknowledged, and added to
    `workspace.store.moved`.
    """
    watch = CommandWatch(workspace)
    try:
        yield watch
    finally:
        watch.finish()


def _is_watched_already(workspace: Workspace) -> bool:
    return run_lock.is_running(workspace) or not protection.reaches_user(workspace.config.sandbox)


def _survey(workspace: Workspace) -> dict[str, str]:
    """Return the state of what these commands must not change."""
    repository = workspace.repository
    try:
        present = refs_and_settings.read(repository)
    except GitFailed as error:
        states = {**fingerprint.files_of_git(repository.common_dir), "failure of git": error.why}
        states |= repository_state.settings(workspace.environment)
    else:
        hooks = ref_guard.user_hooks(repository, settings=present.settings)
        states = {**fingerprint.files_of_git(repository.common_dir, hooks), **present.refs}
        states |= repository_state.config_keys(repository, present) | fingerprint.stashed(repository, present)
        states |= repository_state.settings(workspace.environment, present.settings)
    watched = startup_files.watched_paths(workspace.config)
    states |= startup_files.states(repository, workspace.environment, watched, is_reachable=True)
    return {name: state for name, state in states.items() if state and name not in _OF_A_PERSON}
