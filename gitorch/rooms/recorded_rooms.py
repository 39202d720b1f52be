"""Rooms of several kinds: new ones are of the kind in force, and an attempt keeps the kind that it started in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gitorch import regular_files
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.rooms.protocol import CheckSite, Room, Rooms, RoomSpec
from gitorch.storage import atomic


class RecordedRooms(msgspec.Struct, frozen=True, kw_only=True):
    """`Rooms` that record their kind for each attempt. `kinds` are all by name, `kind` is the one for new rooms."""

    kinds: Mapping[str, Rooms]
    kind: str

    def create(self, spec: RoomSpec) -> Room:
        """Create a room of the kind in force, as its `Rooms` say."""
        spec.folder.mkdir(parents=True, exist_ok=True)
        atomic.replace(spec.folder / "room", self.kind.encode())
        return self.kinds[self.kind].create(spec)

    def reopen(self, spec: RoomSpec) -> Room:
        """Return the room of an attempt, of the kind that it was created as: settings may have changed since."""
        return self._rooms(spec).reopen(spec)

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> CheckSite:
        """Return a site of the kind in force."""
        return self.kinds[self.kind].check_site(worktree, commit, env, name)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Undo what was done in the room of an attempt, of whatever kind it is."""
        self._rooms(spec).give_up(spec, tip)

    def _rooms(self, spec: RoomSpec) -> Rooms:
        try:
            kind = regular_files.read(spec.folder / "room").decode("ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            kind = self.kind
        return self.kinds.get(kind) or self.kinds[self.kind]
