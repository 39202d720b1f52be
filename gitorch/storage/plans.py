"""The plans of one repository: each is a folder with every revision of its session. The last revision is current.

A revision is written to a temporary file, synced, and linked to its number. A killed process leaves a whole revision or
none, and of two writers of the same number one is refused. Nothing is ever overwritten.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from gitorch import regular_files, typed
from gitorch.errors import NotFound, Refused, there_is
from gitorch.model import naming
from gitorch.model.plan import PlanSession
from gitorch.storage import atomic, locks, own_changes, sizes

_REVISION = re.compile(r"(\d{6,})\.json")


class PlanMoved(Refused):
    """Another command changed the plan in the meantime."""


class PlanStore:
    """The plans in a folder of the state.

    A damaged revision is set aside, and the one before it is used; `report` receives what is lost with it.
    """

    def __init__(self, folder: Path, report: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self.report = report

    def names(self) -> list[str]:
        """Return the ids of all plans, sorted."""
        try:
            plan_ids = sorted(entry.name for entry in os.scandir(self.folder) if entry.is_dir())
        except FileNotFoundError:
            return []
        return [name for name in plan_ids if not name.startswith(".")]

    def all(self) -> list[PlanSession]:
        """Return the current revision of all plans, oldest first."""
        sessions = [session for name in self.names() if (session := self.last(name)) is not None]
        return sorted(
            sessions, key=lambda session: (session.created.timestamp() if session.created else 0.0, session.id)
        )

    def find(self, name: str) -> PlanSession:
        """Return the plan with this id or unique prefix of an id; raise `NotFound` otherwise."""
        names = self.names()
        matches = [name] if name in names else [plan_id for plan_id in names if name and plan_id.startswith(name)]
        session = self.last(matches[0]) if len(matches) == 1 else None
        if session is None:
            raise _not_found(name, matches, names)
        return session

    def create(self, session: PlanSession) -> PlanSession:
        """Save the first revision of a new plan, with a number added to a taken id; return the saved plan."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / _unfinished()
        unfinished.mkdir()
        while True:
            first = msgspec.structs.replace(session, id=naming.unused(session.id, self.names()), revision=1)
            _write(unfinished / _file(1), first)
            if _rename_new(unfinished, self.folder / first.id):
                self._record(first)
                atomic.sync(self.folder)
                self._note_size(first)
                return first

    def save(self, session: PlanSession) -> PlanSession:
        """Save the next revision of a plan and return it; raise `PlanMoved` if another command saved one since."""
        following = msgspec.structs.replace(session, revision=session.revision + 1)
        folder = self.folder / session.id
        unfinished = folder / _unfinished()
        _write(unfinished, following)
        try:
            # unlike a rename, a link fails if the file exists
            os.link(unfinished, folder / _file(following.revision))
        except FileExistsError:
            raise PlanMoved(
                "plan-moved",
                f"the plan {session.id} was changed by another command in the meantime",
                fix=(f"orchestrate plan show {session.id}",),
            ) from None
        finally:
            unfinished.unlink()
        self._record(following)
        atomic.sync(folder)
        self._note_size(following)
        return following

    def drop(self, session: PlanSession) -> Path:
        """Move a plan away, and return the folder that keeps it."""
        dropped = self.folder / ".dropped"
        dropped.mkdir(exist_ok=True)
        name = naming.unused(session.id, [entry.name for entry in os.scandir(dropped)])
        sizes.forget(self.folder.parent, _size_name(session))
        paths = [*(self.folder / session.id).glob("*.json")]
        identities = {str(path): (own_changes.identity(path), "") for path in paths}
        (self.folder / session.id).rename(dropped / name)
        own_changes.record(self.folder.parent, identities)
        atomic.sync(self.folder)
        return dropped / name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the approval of plans."""
        with locks.file_lock(self.folder / ".lock"):
            yield

    def draft_file(self, session: PlanSession) -> Path:
        """Return the file that keeps an edited plan until it is valid."""
        return self.folder / session.id / "edited.toml"

    def last(self, name: str) -> PlanSession | None:
        """Return the last revision of a plan that can be read; None if there is none, or it was just dropped."""
        try:
            revisions = [
                match for entry in os.scandir(self.folder / name) if (match := _REVISION.fullmatch(entry.name))
            ]
        except FileNotFoundError:
            return None
        for revision in sorted(revisions, key=lambda match: int(match[1]), reverse=True):
            path = self.folder / name / revision[0]
            try:
                return typed.from_json(regular_files.read(path), PlanSession)
            except FileNotFoundError:
                return None
            except (msgspec.DecodeError, UnicodeDecodeError, IsADirectoryError) as error:
                self._set_aside(path, error)
        return None

    def _record(self, session: PlanSession) -> None:
        """Record a revision as gitorch's own: a run reports those that others write."""
        path = self.folder / session.id / _file(session.revision)
        own_changes.record(self.folder.parent, {str(path): ("", own_changes.identity(path))})

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_name(f"{path.name}.damaged-{datetime.now():%Y%m%dT%H%M%S%f}")
        # a command that only shows plans works on a disk that cannot be written, too
        with suppress(OSError):
            path.rename(aside)
        self.report(
            f"revision {int(path.stem)} of the plan {path.parent.name} is damaged ({error}): set aside as "
            f"{aside.name}, and the revision before it is used"
        )

    def _note_size(self, session: PlanSession) -> None:
        path = self.folder / session.id / _file(session.revision)
        sizes.note(self.folder.parent, path, name=_size_name(session))


def _size_name(session: PlanSession) -> str:
    return f"plan {session.id}"


def _file(revision: int) -> str:
    return f"{revision:06}.json"


def _unfinished() -> str:
    return f".new-{uuid.uuid4().hex}"


def _write(path: Path, session: PlanSession) -> None:
    atomic.write(path, msgspec.json.format(msgspec.json.encode(session), indent=1))


def _rename_new(new: Path, target: Path) -> bool:
    """Rename a new folder to `target`; return False if a plan exists there already."""
    try:
        new.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return False
    return True


def _not_found(name: str, matches: list[str], names: list[str]) -> NotFound:
    if len(matches) > 1:
        return NotFound("ambiguous", f"{name} can mean {', '.join(matches[:5])}")
    suggestion = there_is(name, names)
    return NotFound("no-such-plan", f"there is no plan {name}", why=suggestion, fix=("orchestrate plan list",))
