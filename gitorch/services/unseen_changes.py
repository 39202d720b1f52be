"""Watch what `git status` does not tell of the user's checkouts: ignored files, permissions, empty folders, pipes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from gitorch.git import surroundings, unseen_files
from gitorch.git.unseen_files import Checkout, Unseen
from gitorch.git.worktree_list import find
from gitorch.rooms.base import RoomError
from gitorch.rooms.prepare import files_to_copy
from gitorch.services.workspace import Workspace

UNWATCHED = "!"
"""How an entry of `sandbox.watch` begins that takes files out."""


class UnseenWatch:
    """The differences since the last look. `own_folders` returns the folders of worktrees that are gitorch's.

    It looks at no more than `most` files and folders.
    """

    def __init__(
        self,
        workspace: Workspace,
        own_folders: Callable[[], set[Path]],
        *,
        most: int = unseen_files.MOST_ENTRIES,
    ) -> None:
        self._workspace, self._own_folders, self._most = workspace, own_folders, most
        watch = workspace.config.sandbox.watch
        self._unwatched = tuple(path.removeprefix(UNWATCHED) for path in watch if path.startswith(UNWATCHED))
        self._before = self._read(Unseen())
        self.is_complete = self._before.is_complete

    def compare(self, *, is_moved: bool, told: Collection[str]) -> list[str]:
        """Return what is different from the last time, but not what these lines tell already.

        `is_moved`: gitorch has moved the branch that is checked out.
        """
        before, self._before = self._before, self._read(self._before)
        self.is_complete &= self._before.is_complete
        lines = unseen_files.differences(before, self._before, is_moved=is_moved)
        return [line for line in lines if not _is_told(line, told)]

    def troubles(self) -> list[str]:
        """Return what was not looked at."""
        if self.is_complete:
            return []
        return [
            f"your checkouts have more than {self._most} files and folders: changes of those that git "
            'ignores are not all reported; take some out with sandbox.watch = ["!node_modules"]'
        ]

    def _read(self, before: Unseen) -> Unseen:
        workspace, own = self._workspace, self._own_folders()
        repository, checkouts = workspace.repository, []
        if repository.work_tree is not None:
            checkouts.append(Checkout(repository.work_tree, repository.common_dir))
        for path in surroundings.foreign_worktrees(repository, own):
            if linked := find(repository, path):
                checkouts.append(Checkout(path, linked.admin, surroundings.worktree_label(path)))
        skip = {*own, *(folder.parent for folder in own), *self._copied()}
        return unseen_files.read(repository, checkouts, before, unwatched=self._unwatched, skip=skip, most=self._most)

    def _copied(self) -> list[Path]:
        """Return what every worktree gets a copy of: that is compared by itself."""
        try:
            return [path for _, path in files_to_copy(self._workspace.repository, self._workspace.config)]
        except RoomError:  # an attempt says so
            return []


def _is_told(line: str, told: Collection[str]) -> bool:
    """Return whether there is a line of the same file: git tells of one that became executable."""
    prefix, is_mode, name = line.rpartition("mode of ")
    if is_mode:
        return f"{prefix}file {name}" in told
    return f"{line.rpartition(' ')[0]} changed" in told
