"""Watch a run: compare everything that agents must not change with what it was, and record each difference.

What gitorch itself changes meanwhile, in this process or another, is known from its own sealed records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from gitorch.errors import Refused
from gitorch.flow.attempt import checking
from gitorch.git.protected import (
    fingerprint,
    git_folder,
    object_files,
    ref_guard,
    refs_and_settings,
    repository_state,
)
from gitorch.git.repository import GitFailed
from gitorch.model.credentials.redaction import redacted
from gitorch.model.naming import RESERVED, TaskId, branch_ref
from gitorch.model.task import ALIVE, Phase, State, Task
from gitorch.rooms.paths import worktree_path
from gitorch.services import protection
from gitorch.services.branches.own_branches import own_refs
from gitorch.services.change_watch import copied_files, startup_files
from gitorch.services.change_watch.differences import differences, moved_before, own_values, with_own_changes
from gitorch.services.change_watch.ignored_files import RestingFiles, UnseenWatch, is_told
from gitorch.services.change_watch.new_pipes import NewPipes
from gitorch.services.workspace import Workspace
from gitorch.storage import foreign_changes, own_changes, trust
from gitorch.storage.foreign_changes import ForeignChange
from gitorch.storage.own_changes import OwnChanges

PAUSE_SECONDS = 1.0
_PAUSE_FACTOR = 19.0
"""Comparing takes at most a twentieth of the time: the pause after it, as a multiple of its duration."""

_SETTLE_SECONDS = 0.2
"""A file of the state is recorded just after it was written."""

_RESTING = frozenset(State) - ALIVE - {State.MERGED, State.REJECTED, State.CANCELLED}
"""States of tasks whose worktrees must not change while others run."""

_Settings: TypeAlias = Sequence[refs_and_settings.Setting]

_CHECKED_OUT = ("entries", "file ", "worktree ")
"""How the names of what git says of files begin: in the user's checkout, and in other worktrees."""


class ChangeWatch:
    """The differences since a run started, each recorded as it is seen. For the thread that owns the store."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.changes: list[ForeignChange] = []
        self._recorded = len(foreign_changes.recorded(workspace.folder))
        own_changes.forget(workspace.folder)
        workspace.store.watch(self._report_foreign_tasks)
        self._active = self._running()
        self._ran = set(self._active)
        # a person may change these while agents that cannot reach them work: that would be a false alarm
        self._reaches_user = protection.reaches_user(workspace.config.sandbox)
        if self._reaches_user:
            pipes = NewPipes(workspace.repository.common_dir, workspace.folder)
            workspace.repository.remove_pipes_by(pipes.remove)
        self._real_parents: dict[Path, Path] = {}  # as they were when first seen: agents may put links there later
        self._ends: dict[str, str] = {}  # the tips of branches when their attempts ended
        self._before: dict[str, str] = {}
        self._before = self._survey()
        self._first = self._before
        self._objects = object_files.read(workspace.repository.common_dir)
        self._graphs = object_files.graphs(workspace.repository.common_dir)
        self._lfs = object_files.lfs_objects(workspace.repository.common_dir)
        self._locks = git_folder.locks(workspace.repository.common_dir)
        self._unseen = UnseenWatch(workspace, self._own_folders) if self._reaches_user else None
        self._reported: set[str] = set()
        self._resting_files = RestingFiles(workspace) if self._reaches_user else None
        self._resting: dict[str, str] = {}
        self._noted: set[str] = set()
        tasks = workspace.tasks.values()
        self._note_resting(tasks, self._settings_for(tasks))
        self._due = 0.0

    def _report_foreign_tasks(self, line: str) -> None:
        self.changes += foreign_changes.record(self.workspace.folder, [line], sorted(self._active or self._ran))

    def observe(self, changed: Iterable[Task]) -> None:
        """Note which tasks run, and compare if the attempt of one has ended; not too often."""
        running = self._running()
        newly_ended = self._active - running
        self._active |= running
        self._ran |= running
        changed = [task for task in changed if task.branch]
        ended = [task for task in changed if task.id in newly_ended]
        settings = self._settings_for(changed)
        self._end_rest([task for task in changed if task.state is State.RUNNING and not _is_checked(task)])
        for task in ended:
            ref = branch_ref(task.branch)
            self._ends[ref] = self.workspace.repository.read_ref(ref) or ""
        self._note_resting([*ended, *filter(_is_checked, changed)], settings)
        if newly_ended and time.monotonic() >= self._due:
            start = time.monotonic()
            self._compare(settings)
            self._due = time.monotonic() + max(PAUSE_SECONDS, _PAUSE_FACTOR * (time.monotonic() - start))

    def finish(self) -> tuple[ForeignChange, ...]:
        """Compare once more, with the worktrees of ended attempts, and return all differences of the run."""
        tasks = self.workspace.tasks.values()
        settings = self._settings_for(tasks)
        # of attempts that were given up or cleaned up meanwhile there is nothing to compare
        resting_lines = self._changed_at_rest([task for task in tasks if task.state in _RESTING], settings)
        self._compare(settings, (*self._left_locks(), *resting_lines))
        kept_lines = {change.what for change in foreign_changes.recorded(self.workspace.folder)}
        # an agent may have removed lines of the file
        missing = [change for change in self.changes if change.what not in kept_lines]
        for change in missing:
            foreign_changes.record(self.workspace.folder, [change.what], change.tasks)
        # an executor records what it finds by itself
        known_lines = {change.what for change in self.changes}
        recorded = foreign_changes.recorded(self.workspace.folder)[self._recorded :]
        self.changes += [change for change in recorded if change.what not in known_lines]
        return tuple(self.changes)

    def troubles(self) -> list[str]:
        """Return what could not be watched."""
        watches = [watch for watch in (self._unseen, self._resting_files) if watch]
        return [line for watch in watches for line in watch.troubles()]

    def owns_state(self) -> bool:
        """Return whether gitorch alone has written the task file and the operation log since the run started."""
        record, state = own_changes.read(self.workspace.folder), self._state_files()
        written_by_others = any(not name.startswith("refs/") for name in own_changes.foreign(self._first, record))
        return not written_by_others and not _unknown_files(state, self._first, record)

    def _compare(self, settings: _Settings | None, extra_lines: tuple[str, ...] = ()) -> None:
        after = self._survey(settings)
        record = own_changes.read(self.workspace.folder)
        if _unknown_files(after, self._before, record):
            time.sleep(_SETTLE_SECONDS)
            after, record = self._survey(), own_changes.read(self.workspace.folder)
        before, is_moved = with_own_changes(
            self._before, after, record, self._own_branches(), self.workspace.repository
        )
        changed_lines = repository_state.name_settings(differences(before, after))
        unseen = self._unseen.compare(is_moved=is_moved, git_lines=changed_lines) if self._unseen else ()
        lines = (*changed_lines, *unseen, *self._moved_before(record), *self._lost_objects(), *extra_lines)
        lines = tuple(map(redacted, lines))  # a ref can have a credential in its name
        tasks = sorted(self._active or self._ran)
        self.changes += foreign_changes.record(self.workspace.folder, lines, tasks)
        self._before, self._active = after, self._running()

    def _moved_before(self, record: OwnChanges) -> list[str]:
        """Return the moves by others that gitorch then built on, each once."""
        lines = [line for line in moved_before(self._first, record, self._own_branches()) if line not in self._reported]
        self._reported.update(lines)
        return lines

    def _lost_objects(self) -> tuple[str, ...]:
        repository, before = self.workspace.repository, self._objects
        self._objects = object_files.read(repository.common_dir)
        graphs, self._graphs = self._graphs, object_files.graphs(repository.common_dir)
        false_graphs = object_files.false_graphs(repository, graphs, self._graphs)
        lfs, self._lfs = self._lfs, object_files.lfs_objects(repository.common_dir)
        losses = object_files.losses(repository, before, self._objects)
        return (*losses, *object_files.lfs_losses(lfs, self._lfs), *false_graphs)

    def _left_locks(self) -> list[str]:
        """Return the lock files that stay: those of a git that works at this moment disappear by themselves."""
        common_dir = self.workspace.repository.common_dir
        new = git_folder.locks(common_dir).items() - self._locks.items()
        if new:
            time.sleep(_SETTLE_SECONDS)
        return [
            f"{name} appeared, and makes git wait" for name, _ in sorted(new & git_folder.locks(common_dir).items())
        ]

    def _survey(self, settings: _Settings | None = None) -> dict[str, str]:
        """Return the state of everything outside of the tasks' own worktrees; `settings` were read just now, if any."""
        workspace = self.workspace
        repository, movable = workspace.repository, own_refs(workspace)
        common_dir = repository.common_dir
        try:
            present = refs_and_settings.read(repository, settings)
        except GitFailed as error:
            # an agent can make git fail: what can be seen without it is compared, and the failure is a difference
            states = {**fingerprint.files_of_git(common_dir), "failure of git": error.why}
            states |= repository_state.settings(workspace.environment)
            states |= _unread(self._before, ("refs/", "stash ", "setting ", *_CHECKED_OUT))
        else:
            states = fingerprint.files_of_git(common_dir, ref_guard.user_hooks(repository, settings=present.settings))
            states |= {**present.refs, **repository_state.reflogs(repository, movable)}
            states |= repository_state.settings(workspace.environment, present.settings)
            states |= repository_state.config_keys(repository, present) | repository_state.misplaced(
                repository, present
            )
            states |= self._read("the stash", ("stash ",), lambda: fingerprint.stashed(repository, present))
            states |= self._read(
                "the checkout", _CHECKED_OUT[:2], lambda: fingerprint.own_checkout(repository, present)
            )
            own_folders = self._own_folders()
            worktree_states = self._read(
                "worktrees",
                _CHECKED_OUT[2:],
                lambda: repository_state.other_worktrees(repository, own_folders, present),
            )
            states |= worktree_states
        if self._reaches_user:
            states = {**copied_files.states(repository, workspace.config), **states}
        states |= git_folder.states(common_dir)
        watched = startup_files.watched_paths(workspace.config)
        states |= startup_files.states(repository, workspace.environment, watched, is_reachable=self._reaches_user)
        return {name: state for name, state in {**states, **self._state_files()}.items() if state}

    def _read(self, subject: str, names: tuple[str, ...], read: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Return what git says; if it fails, that, and what these names were before: nobody knows that they changed."""
        try:
            return read()
        except GitFailed as error:
            return {**_unread(self._before, names), f"failure of git in {subject}": error.why}

    def _state_files(self) -> dict[str, str]:
        folder = self.workspace.folder
        paths = [folder / "tasks.toml", *(folder / "journal").glob("*.jsonl"), folder / "operations.jsonl"]
        paths += (folder / "plans").glob("*/*.json")
        states = {str(path): identity for path in paths if (identity := own_changes.identity(path))}
        try:
            return {**states, trust.NAME: trust.trusted_commands(self.workspace.repository.common_dir)}
        except Refused as error:
            return {**states, trust.NAME: error.what}

    def _running(self) -> set[TaskId]:
        return {task.id for task in self.workspace.tasks.values() if task.state is State.RUNNING}

    def _own_branches(self) -> dict[str, str | None]:
        """Return the tips that the tasks' branches must have; None where an agent may be moving one now."""
        tips: dict[str, str | None] = {}
        for task in self.workspace.tasks.values():
            if task.branch and not task.adopted:
                ref = branch_ref(task.branch)
                moves = task.id in self._active and task.state in ALIVE
                tips[ref] = None if moves else self._ends.get(ref, task.tip or "")
        return tips

    def _own_folders(self) -> set[Path]:
        workspace = self.workspace
        top = worktree_path(workspace.repository, workspace.config, "x").parent
        folders = {Path(task.worktree) for task in workspace.tasks.values() if task.worktree}
        names = (entry.name for entry in top.glob("*")) if top.is_dir() else ()
        pools = {*RESERVED, checking.WORKTREE}
        folders |= {top / name for name in names if name.partition("_")[0] in pools}
        # git reports worktrees by their real paths
        return folders | {self._real_parent(folder) / folder.name for folder in folders}

    def _real_parent(self, folder: Path) -> Path:
        if folder.parent not in self._real_parents:
            self._real_parents[folder.parent] = folder.parent.resolve()
        return self._real_parents[folder.parent]

    def _settings_for(self, tasks: Iterable[Task]) -> _Settings | None:
        """Return git's settings where worktrees of these tasks are compared; None where none is."""
        return refs_and_settings.read_settings(self.workspace.repository) if any(map(_is_resting, tasks)) else None

    def _note_resting(self, tasks: Collection[Task], settings: _Settings | None) -> None:
        """Note how worktrees are in which no agent works any more, once for each round."""
        tasks = [task for task in tasks if _is_resting(task) and _attempt(task) not in self._noted]
        self._noted.update(map(_attempt, tasks))
        self._resting |= self._worktrees(tasks, settings)
        if self._resting_files:
            self._resting_files.note(_paths(tasks))

    def _end_rest(self, tasks: Collection[Task]) -> None:
        """Record what others have changed in worktrees in which an agent now works again."""
        rested = [task for task in tasks if _attempt(task) in self._noted]
        if rested:
            lines = self._changed_at_rest(rested, refs_and_settings.read_settings(self.workspace.repository))
            active = sorted(self._active - {task.id for task in rested})
            self.changes += foreign_changes.record(self.workspace.folder, map(redacted, lines), active)
            attempts = set(map(_attempt, rested))
            self._noted -= attempts
            self._resting = {name: state for name, state in self._resting.items() if _attempt_of(name) not in attempts}

    def _changed_at_rest(self, tasks: Collection[Task], settings: _Settings | None) -> list[str]:
        """Return what is different in worktrees since they were noted."""
        attempts = self._noted.intersection(map(_attempt, tasks))
        tasks = [task for task in tasks if _attempt(task) in attempts]
        after = self._worktrees(tasks, settings)
        before = {name: state for name, state in self._resting.items() if _attempt_of(name) in attempts}
        lines = [_unnumbered(line) for line in differences(before, after)]
        unseen = self._resting_files.compare(_paths(tasks)) if self._resting_files else []
        return [*lines, *(line for line in unseen if not is_told(line, lines))]

    def _worktrees(self, tasks: Iterable[Task], settings: _Settings | None) -> dict[str, str]:
        """Return the states of the worktrees of tasks, by attempt."""
        repository = self.workspace.repository
        filters = fingerprint.without_filters(settings or ())
        attempt_states: dict[str, str] = {}
        for task in tasks:
            states = repository_state.worktree(repository, Path(task.worktree), filters)
            attempt_states |= {f"{_attempt(task)}\0{name}": state for name, state in states.items()}
        return attempt_states


def _unread(before: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: state for name, state in before.items() if name.startswith(names)}


def _is_checked(task: Task) -> bool:
    """Return whether the checks of a task run: its agent has ended, and they do not run in its worktree."""
    return task.state is State.RUNNING and task.attempt is not None and task.attempt.phase is Phase.CHECKING


def _is_resting(task: Task) -> bool:
    return bool(task.worktree and task.attempts and (task.state in _RESTING or _is_checked(task)))


def _paths(tasks: Iterable[Task]) -> dict[str, Path]:
    return {_attempt(task): Path(task.worktree) for task in tasks}


def _attempt(task: Task) -> str:
    return f"{task.id} {task.attempts} {task.tip}"


def _attempt_of(name: str) -> str:
    return name.partition("\0")[0]


def _unnumbered(line: str) -> str:
    return line.partition("\0")[2]


def _unknown_files(after: Mapping[str, str], before: Mapping[str, str], record: OwnChanges) -> bool:
    """Return whether a file of the state has changed by nobody that has said so yet."""
    return any(
        name.startswith("/") and before.get(name) != identity and identity not in own_values(record, name)
        for name, identity in after.items()
    )
