"""Watch a run: compare everything that agents must not change with what it was, and record each difference.

What gitorch itself changes meanwhile, in this process or another, is known from its own sealed records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from gitorch.errors import Refused
from gitorch.flow.attempt import checking
from gitorch.git import attempt_exchange, fence, git_folder, inventory, object_files, surroundings
from gitorch.git.fence import Fingerprint
from gitorch.git.repository import GitFailed
from gitorch.model.naming import RESERVED, TaskId, branch_ref
from gitorch.model.task import ALIVE, State, Task
from gitorch.rooms.paths import worktree_path
from gitorch.services import copied_files, protection, startup_files
from gitorch.services.branches import own_refs
from gitorch.services.unseen_changes import UNWATCHED, UnseenWatch
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

_CHECKED_OUT = ("entries", "file ", "worktree ")
"""How the names of what git says of files begin: in the user's checkout, and in other worktrees."""

_INCOMING = "refs/gitorch/incoming/"
_CHECKOUT = ("index", "entries", "logs/HEAD", "ORIG_HEAD")
"""What changes in the user's checkout when `merge --into` moves the branch that is checked out."""


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
        settings = workspace.config.sandbox
        # a person may change these while agents that cannot reach them work: that would be a false alarm
        self._reaches_user = protection.in_force(settings).mode != "bwrap" or bool(settings.write)
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
        self._resting = self._worktrees(workspace.tasks.values())
        self._due = 0.0

    def _report_foreign_tasks(self, what: str) -> None:
        self.changes += foreign_changes.record(self.workspace.folder, [what], sorted(self._active or self._ran))

    def observe(self, changed: Iterable[Task]) -> None:
        """Note which tasks run, and compare if the attempt of one has ended; not too often."""
        running = self._running()
        ended = self._active - running
        self._active |= running
        self._ran |= running
        for task in changed:
            if task.branch and task.id in ended:
                ref = branch_ref(task.branch)
                self._ends[ref] = self.workspace.repository.read_ref(ref) or ""
                self._resting |= self._worktrees([task])
        if ended and time.monotonic() >= self._due:
            start = time.monotonic()
            self._compare()
            self._due = time.monotonic() + max(PAUSE_SECONDS, _PAUSE_FACTOR * (time.monotonic() - start))

    def finish(self) -> tuple[ForeignChange, ...]:
        """Compare once more, with the worktrees of ended attempts, and return all differences of the run."""
        worktrees = self._worktrees(self.workspace.tasks.values())
        # of attempts that were given up or cleaned up meanwhile there is nothing to compare
        kept = {name: state for name, state in self._resting.items() if _attempt_of(name) in self._attempts()}
        lost = {name: state for name, state in worktrees.items() if _attempt_of(name) in map(_attempt_of, kept)}
        self._compare((*self._left_locks(), *(_unnumbered(line) for line in _differences(kept, lost))))
        kept_lines = {change.what for change in foreign_changes.recorded(self.workspace.folder)}
        # an agent may have removed lines of the file
        missing = [change for change in self.changes if change.what not in kept_lines]
        for change in missing:
            foreign_changes.record(self.workspace.folder, [change.what], change.tasks)
        # an executor records what it finds by itself
        seen = {change.what for change in self.changes}
        recorded = foreign_changes.recorded(self.workspace.folder)[self._recorded :]
        self.changes += [change for change in recorded if change.what not in seen]
        return tuple(self.changes)

    def troubles(self) -> list[str]:
        """Return what could not be watched."""
        return self._unseen.troubles() if self._unseen else []

    def owns_state(self) -> bool:
        """Return whether gitorch alone has written the task file and the operation log since the run started."""
        own, state = own_changes.read(self.workspace.folder), self._state_files()
        written_by_others = any(not name.startswith("refs/") for name in own_changes.foreign(self._first, own))
        return not written_by_others and not _unknown_files(state, self._first, own)

    def _compare(self, more: tuple[str, ...] = ()) -> None:
        after = self._survey()
        own = own_changes.read(self.workspace.folder)
        if _unknown_files(after, self._before, own):
            time.sleep(_SETTLE_SECONDS)
            after, own = self._survey(), own_changes.read(self.workspace.folder)
        before, is_moved = _with_own_changes(self._before, after, own, self._own_branches())
        moved = surroundings.name_settings(_differences(before, after))
        unseen = self._unseen.compare(is_moved=is_moved, told=moved) if self._unseen else ()
        lines = (*moved, *unseen, *self._moved_before(own), *self._lost_objects(), *more)
        tasks = sorted(self._active or self._ran)
        self.changes += foreign_changes.record(self.workspace.folder, lines, tasks)
        self._before, self._active = after, self._running()

    def _moved_before(self, own: OwnChanges) -> list[str]:
        """Return the moves by others that gitorch then built on, each once."""
        lines = [line for line in _moved_before(self._first, own, self._own_branches()) if line not in self._reported]
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

    def _survey(self) -> dict[str, str]:
        """Return the state of everything outside of the tasks' own worktrees."""
        workspace = self.workspace
        repository, movable = workspace.repository, own_refs(workspace)
        common_dir = repository.common_dir
        try:
            present = inventory.read(repository)
        except GitFailed as error:
            # an agent can make git fail: what can be seen without it is compared, and the failure is a difference
            found = {**fence.files_of_git(common_dir), "failure of git": error.why}
            found |= _unread(self._before, ("refs/", "stash ", "setting ", *_CHECKED_OUT))
        else:
            found = fence.files_of_git(common_dir, fence.user_hooks(repository, settings=present.settings))
            found |= {**present.refs, **surroundings.reflogs(repository, movable)}
            found |= surroundings.config_keys(repository, present) | surroundings.misplaced(repository, present)
            found |= self._read("the stash", ("stash ",), lambda: fence.stashed(repository, present))
            found |= self._read("the checkout", _CHECKED_OUT[:2], lambda: fence.own_checkout(repository, present))
            own = self._own_folders()
            others = self._read(
                "worktrees", _CHECKED_OUT[2:], lambda: surroundings.other_worktrees(repository, own, present)
            )
            found |= others
        if self._reaches_user:
            found = {**copied_files.states(repository, workspace.config), **found}
        found |= git_folder.states(common_dir) | surroundings.settings(workspace.environment)
        more = [path for path in workspace.config.sandbox.watch if not path.startswith(UNWATCHED)]
        found |= startup_files.states(repository, workspace.environment, more, is_reachable=self._reaches_user)
        return {name: state for name, state in {**found, **self._state_files()}.items() if state}

    def _read(self, what: str, names: tuple[str, ...], read: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Return what git says; if it fails, that, and what these names were before: nobody knows that they changed."""
        try:
            return read()
        except GitFailed as error:
            return {**_unread(self._before, names), f"failure of git in {what}": error.why}

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
        return folders | {top / name for name in names if name.partition("_")[0] in pools}

    def _attempts(self) -> set[str]:
        return {_attempt(task) for task in self.workspace.tasks.values() if task.state in _RESTING}

    def _worktrees(self, tasks: Iterable[Task]) -> dict[str, str]:
        """Return the states of the worktrees whose work waits for a verdict or a merge, by attempt."""
        repository = self.workspace.repository
        resting = [task for task in tasks if task.worktree and task.attempts and task.state in _RESTING]
        filters = fence.without_filters(inventory.read_settings(repository)) if resting else ()
        found: dict[str, str] = {}
        for task in resting:
            states = surroundings.worktree(repository, Path(task.worktree), filters)
            found |= {f"{_attempt(task)}\0{name}": state for name, state in states.items()}
        return found


def _unread(before: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: state for name, state in before.items() if name.startswith(names)}


def _attempt(task: Task) -> str:
    return f"{task.id} {task.attempts} {task.tip}"


def _attempt_of(name: str) -> str:
    return name.partition("\0")[0]


def _unnumbered(line: str) -> str:
    return line.partition("\0")[2]


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return fence.differences(Fingerprint(before), Fingerprint(after))


def _unknown_files(after: Mapping[str, str], before: Mapping[str, str], own: OwnChanges) -> bool:
    """Return whether a file of the state has changed by nobody that has said so yet."""
    return any(
        name.startswith("/") and before.get(name) != identity and identity not in _own_values(own, name)
        for name, identity in after.items()
    )


def _with_own_changes(
    before: Mapping[str, str], after: Mapping[str, str], own: OwnChanges, branches: Mapping[str, str | None]
) -> tuple[dict[str, str], bool]:
    """Return what was before, changed as gitorch itself has changed it: the rest of the difference is foreign.

    And whether gitorch has moved a branch of the user's.
    """
    expected = dict(before)
    moved_by_gitorch = False
    for name in before.keys() | after.keys():
        value = after.get(name, "")
        if before.get(name, "") == value:
            continue
        is_own = value in _own_values(own, name)
        if name in branches:
            is_own = is_own or branches[name] in (None, value)
        moved_by_gitorch |= is_own and name.startswith("refs/heads/") and name not in branches
        is_delivery = name not in before and attempt_exchange.is_delivery_ref(name)
        if is_own or is_delivery or name.startswith(_INCOMING) or _is_replaced_journal(name, value):
            _set(expected, name, value)
        if name.startswith("refs/"):  # its reflog says nothing more
            _set(expected, f"logs/{name}", after.get(f"logs/{name}", ""))
    for name in _CHECKOUT if moved_by_gitorch else ():
        _set(expected, name, after.get(name, ""))
    return expected, moved_by_gitorch


def _own_values(own: OwnChanges, name: str) -> set[str]:
    return {new for _, new in own.get(name, ())}


def _moved_before(first: Mapping[str, str], own: OwnChanges, branches: Mapping[str, str | None]) -> Iterator[str]:
    """Yield changes by others that gitorch built on: the value that it found is not one that it had left."""
    for name, values in own_changes.foreign(first, own).items():
        if name.startswith("refs/") and name not in branches:
            yield from (f"{name} was moved to {value[:12]} before gitorch moved it" for value in values)
        elif not name.startswith("refs/"):
            yield f"{name} changed before gitorch changed it"


def _is_replaced_journal(name: str, value: str) -> bool:
    """Return whether a journal is gone: a snapshot of the task file has taken its place."""
    return not value and "/journal/" in name


def _set(states: dict[str, str], name: str, value: str) -> None:
    if value:
        states[name] = value
    else:
        states.pop(name, None)
