"""Watch what `git status` omits in checkouts: ignored files, permissions, empty folders, pipes.

In the user's own checkouts all the time, and in tasks' worktrees between the end of an attempt and the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from gitorch.git.protected import ignored_files, repository_state
from gitorch.git.protected.ignored_files import Checkout, Unseen
from gitorch.git.worktree_list import find
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError
from gitorch.services.change_watch.startup_files import UNWATCHED
from gitorch.services.workspace import Workspace


class UnseenWatch:
    """The differences since the last look. `own_folders` returns the folders of worktrees that are gitorch's.

    It looks at no more than `most` files and folders.
    """

    def __init__(
        self,
        workspace: Workspace,
        own_folders: Callable[[], set[Path]],
        *,
        most: int = ignored_files.MOST_ENTRIES,
    ) -> None:
        self._workspace, self._own_folders, self._most = workspace, own_folders, most
        self._unwatched = _unwatched(workspace)
        self._before = self._read(Unseen())
        self.is_complete = self._before.is_complete

    def compare(self, *, is_moved: bool, git_lines: Collection[str]) -> list[str]:
        """Return what is different from the last time, but not what these lines tell already.

        `is_moved`: gitorch has moved the branch that is checked out.
        """
        before, self._before = self._before, self._read(self._before)
        self.is_complete &= self._before.is_complete
        lines = ignored_files.differences(before, self._before, is_moved=is_moved)
        return [line for line in lines if not is_told(line, git_lines)]

    def troubles(self) -> list[str]:
        """Return what was not looked at."""
        if self.is_complete:
            return []
        return [_bound("your checkouts", self._most)]

    def _read(self, before: Unseen) -> Unseen:
        workspace, own = self._workspace, self._own_folders()
        repository, checkouts = workspace.repository, []
        if repository.work_tree is not None:
            checkouts.append(Checkout(repository.work_tree, repository.common_dir))
        for path in repository_state.foreign_worktrees(repository, own):
            if linked := find(repository, path):
                checkouts.append(Checkout(path, linked.admin, repository_state.worktree_label(path)))
        # git's folder may be in the work tree under another name, with `.git` as a link or a file that names it
        skip = {*own, *(folder.parent for folder in own), *self._copied(), repository.common_dir.resolve()}
        return ignored_files.read(repository, checkouts, before, unwatched=self._unwatched, skip=skip, limit=self._most)

    def _copied(self) -> list[Path]:
        """Return what every worktree gets a copy of: that is compared by itself."""
        try:
            return [path for _, path in files_to_copy(self._workspace.repository, self._workspace.config)]
        except RoomError:  # an attempt says so
            return []


class RestingFiles:
    """What `git status` omits in the worktrees of ended attempts, as it was when each ended.

    It looks at no more than `most` files and folders, in all of them together.
    """

    def __init__(self, workspace: Workspace, *, most: int = ignored_files.MOST_ENTRIES) -> None:
        self._workspace, self._most = workspace, most
        self._unwatched = _unwatched(workspace)
        self._before: dict[str, Unseen] = {}

    def note(self, worktrees: Mapping[str, Path]) -> None:
        """Read the worktrees of attempts that have just ended, by attempt."""
        for attempt, path in worktrees.items():
            left = self._most - sum(unseen.entries for name, unseen in self._before.items() if name != attempt)
            if unseen := self._read(path, Unseen(), left):
                self._before[attempt] = unseen

    def compare(self, worktrees: Mapping[str, Path]) -> list[str]:
        """Return what is different in those of these worktrees that were read before."""
        lines: list[str] = []
        for attempt, path in worktrees.items():
            before = self._before.get(attempt)
            if before and (after := self._read(path, before, before.limit)):
                lines += ignored_files.differences(before, after)
        return lines

    def troubles(self) -> list[str]:
        """Return what was not looked at."""
        is_complete = all(unseen.is_complete for unseen in self._before.values())
        return [] if is_complete else [_bound("the worktrees of tasks", self._most)]

    def _read(self, path: Path, before: Unseen, limit: int) -> Unseen | None:
        repository = self._workspace.repository
        if (linked := find(repository, path)) is None:
            return None
        checkout = Checkout(path, linked.admin, repository_state.worktree_label(path))
        return ignored_files.read(repository, [checkout], before, unwatched=self._unwatched, limit=limit)


def _unwatched(workspace: Workspace) -> tuple[str, ...]:
    watch = workspace.config.sandbox.watch
    return tuple(path.removeprefix(UNWATCHED) for path in watch if path.startswith(UNWATCHED))


def _bound(subject: str, most: int) -> str:
    return (
        f"{subject} have more than {most} files and folders: changes of those that git "
        'ignores are not all reported; take some out with sandbox.watch = ["!node_modules"]'
    )


def is_told(line: str, git_lines: Collection[str]) -> bool:
    """Return whether there is a line of the same file: git reports one that became executable."""
    prefix, is_mode, name = line.rpartition("mode of ")
    if is_mode:
        return f"{prefix}file {name}" in git_lines
    return f"{line.rpartition(' ')[0]} changed" in git_lines
