"""Every change that a person asks for is one operation: refs, notes and tasks together, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gitorch.config import Config
from gitorch.errors import GitorchError
from gitorch.git.repository import RefMove, RefsMoved, Repository
from gitorch.model import note
from gitorch.model.naming import Oid, Ref
from gitorch.model.task import Task, change, towards
from gitorch.storage.operations import (
    Agreed,
    Moved,
    Operation,
    OperationLog,
    Restated,
    Shifted,
    applied,
    difference,
    fingerprint,
)
from gitorch.storage.tasks import Pair, Store, TaskMoved

_TRIES = 20


class Operating:
    """Makes changes whole: written down, made, and closed; what a crash cuts short is brought to an end."""

    repository: Repository
    store: Store
    operations: OperationLog
    folder: Path
    config: Config

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the operation log: one changing command at a time."""
        with self.operations.turn() as lock, self.repository.lending(lock, everywhere=False):
            yield

    def _change(self, kind: str, pairs: Sequence[Pair], said: str, plan: Agreed | None = None) -> list[Task]:
        """Change tasks alone, as one operation; return them as they are now."""
        with self._turn():
            self._operate(kind, pairs, said=said, plan=plan)
        return self._as_now(pairs)

    def _change_noting(
        self,
        kind: str,
        pairs: Sequence[Pair],
        lines: Mapping[Oid, Sequence[note.Line]],
        said: str,
        moves: Sequence[RefMove] = (),
    ) -> list[Task]:
        """Change tasks, append lines to the notes of commits and move refs, as one operation.

        Others may write notes at the same time.
        """
        from gitorch.git import notes

        for remaining in reversed(range(_TRIES)):
            try:
                with self._turn(), notes.turn(self.repository):
                    noted = notes.build(self.repository, lines) if lines else []
                    self._operate(kind, pairs, [*moves, *noted], said=said)
                    break
            except RefsMoved:
                if not remaining:
                    raise
        return self._as_now(pairs)

    def _as_now(self, pairs: Sequence[Pair]) -> list[Task]:
        tasks = self.store.current()
        return [tasks[new.id] for _, new in pairs if new is not None]

    def _move_all(self, kind: str, moves: Sequence[RefMove], restated: Sequence[Restated], reason: str) -> None:
        """Move refs and restate tasks, all or nothing; call within the log's turn."""
        self._operate(kind, [pair for one in restated if (pair := self._restated(one))], moves, said=reason)

    def _restated(self, one: Restated) -> Pair | None:
        now = self.store.current().get(one.task)
        if now is None or now.state is not one.old:
            raise TaskMoved(
                "task-moved",
                f"{one.task} was changed by another command; it is {now.state if now else 'gone'}",
                fix=("run the command again",),
            )
        if one.new is one.old:
            # the integration branch was replayed: what is merged is so as another commit
            return (now, change(now, merged_as=one.merged_as)) if one.merged_as else None
        return now, change(towards(now, one.new), state=one.new, reason=one.reason, merged_as=one.merged_as)

    def _operate(
        self,
        kind: str,
        pairs: Sequence[Pair],
        moves: Sequence[RefMove] = (),
        *,
        said: str,
        folders: Sequence[Shifted] = (),
        plan: Agreed | None = None,
        about: Operation | None = None,
    ) -> Operation | None:
        """Change tasks, each given as it was seen and as it is to be, and move refs: all or nothing.

        Returns the operation, None where there was nothing to do. A ref whose old and new value are the same is written
        down and not touched. Call within the log's turn. Raises `TaskMoved` or `RefsMoved`, with nothing changed, when
        somebody was faster.
        """
        if not self.operations.is_settled():
            self._conclude_all()
        with self.store.held():
            made = self.store.rebased(pairs)
            self._require_ready(moves)
            changes = [difference(now, new) for now, new in made if now != new]
            refs = [Moved(move.ref, move.old, move.new) for move in moves]
            if not (changes or refs):
                return None
            operation = self.operations.open(kind, refs, changes, said=said, folders=folders, plan=plan, about=about)
            try:
                self._move([move for move in moves if move.old != move.new], said)
            except GitorchError:
                if not self._conclude(operation):
                    raise
            else:
                self._finish(operation)
            return operation

    def _move(self, moves: Sequence[RefMove], said: str) -> None:
        """Move refs; an error names the lock of a foreign git that is in the way."""
        from gitorch.git import lockfiles

        try:
            self.repository.move(moves, said)
        except GitorchError as error:
            raise lockfiles.explained(self.repository, error, moves, self._users_refs(moves)) from error

    def _users_refs(self, moves: Iterable[RefMove]) -> list[Ref]:
        return [ref for ref, _, _ in self._users(moves)]

    def _finish(self, operation: Operation) -> None:
        """Make what comes after the refs: the user's checkouts, folders, then tasks; and close the operation."""
        self._bring_along(RefMove(one.ref, one.new, one.old) for one in operation.refs)
        self._shift(operation.folders)
        tasks = self.store.current()
        # what somebody has changed since a crash is left to them
        lasting = [one for one in operation.changes if fingerprint(tasks.get(one.task)) == one.before]
        made = [(one.task, applied(one, tasks.get(one.task))) for one in lasting]
        self.store.save(
            [task for _, task in made if task is not None], dropped=[name for name, task in made if task is None]
        )
        self.operations.close(operation, done=True)

    def _users(self, moves: Iterable[RefMove]) -> Iterator[tuple[Ref, Oid, Oid]]:
        """Yield the moves of branches that are the user's: those that `merge --into` names."""
        for move in moves:
            branch = move.ref.removeprefix("refs/heads/")
            if branch != move.ref and move.old and move.new and not self._is_ours(branch):
                yield move.ref, move.old, move.new

    def _is_ours(self, branch: str) -> bool:
        """Tell whether a branch is gitorch's own: the integration branch, a task's, or one that could be."""
        prefix = self.config.prefix
        reserved = bool(prefix) and branch.startswith(prefix)
        return reserved or branch in (self.config.integration, self.config.candidate) or self._is_tasks(branch)

    def _is_tasks(self, branch: str) -> bool:
        return any(one.branch == branch and not one.adopted for one in self.store.current().values())

    def _require_ready(self, moves: Iterable[RefMove]) -> None:
        """Raise `Refused` when a branch of the user's is to move and a checkout of it could not follow."""
        from gitorch.git import checkouts

        for ref, old, new in self._users(moves):
            checkouts.require_ready(self.repository, ref, old, new)

    def _bring_along(self, moves: Iterable[RefMove]) -> None:
        """Bring the checkouts of the user's branches to where these have moved."""
        from gitorch.git import checkouts

        for ref, old, new in self._users(moves):
            if old != new:
                for path in checkouts.follow(self.repository, ref, old, new):
                    self.store.notices.append(f"{path} was changed meanwhile, and is left as it is")

    def _shift(self, folders: Sequence[Shifted]) -> None:
        for one in folders:
            source, target = self.folder / one.old, self.folder / one.new
            if source.exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)

    def _conclude(self, operation: Operation) -> bool:
        """Bring an operation that was cut short to an end, whole; return whether it has happened.

        It is carried through where something has moved, and given up where nothing had; where somebody has changed a
        task since, what had moved goes back.
        """
        moves = [RefMove(one.ref, one.new, one.old) for one in operation.refs if one.new != one.old]
        with self.store.held():
            at = self.repository.refs(*(move.ref for move in moves)) if moves else {}
            behind = [move for move in moves if at.get(move.ref) == move.old]
            ahead = [move for move in moves if at.get(move.ref) == move.new]
            tasks = self.store.current()
            prints = [(fingerprint(tasks.get(one.task)), one) for one in operation.changes]
            if any(found == one.after for found, one in prints):
                self.operations.close(operation, done=True)  # the tasks come last
                return True
            taken = any(found != one.before for found, one in prints)
            if not ahead or (taken and len(ahead) + len(behind) == len(moves)):
                self._give_up(operation, ahead)
                return False
            # git's transactions are not atomic against a crash: what has not moved yet is moved now
            self._move(behind, f"finish {operation.kind}")
            self._finish(operation)
            return True

    def _give_up(self, operation: Operation, ahead: Sequence[RefMove]) -> None:
        back = [RefMove(move.ref, move.old, move.new) for move in ahead]
        self._move(back, f"give up {operation.kind}")
        self._bring_along(back)
        self._shift([Shifted(one.new, one.old) for one in operation.folders])
        self.operations.close(operation, done=False)

    def recover(self) -> list[str]:
        """Finish what a killed command had begun, and return what was done in words."""
        from gitorch.git import lockfiles

        if lockfiles.suspected(self.repository):
            self._free_notes()
        if self.operations.is_settled():
            return []
        with self._turn():
            return self._conclude_all()

    def _free_notes(self) -> None:
        """Remove the locks of a git that was killed while it built notes."""
        from gitorch.git import lockfiles, notes

        with notes.turn(self.repository):
            lockfiles.release(self.repository, [lockfiles.SCRATCH], deleted=[lockfiles.SCRATCH])

    def _conclude_all(self) -> list[str]:
        found = []
        for one in self.operations.unfinished():
            self._free(one)
            ended = "finished now" if self._conclude(one) else "it had moved nothing"
            found.append(f"{one.kind} was cut short: {ended}")
        return found

    def _free(self, operation: Operation) -> None:
        """Remove the locks of a git that was killed while it carried an operation out."""
        from gitorch.git import lockfiles

        moves = [RefMove(one.ref, one.new, one.old) for one in operation.refs if one.new != one.old]
        lockfiles.release(
            self.repository,
            [move.ref for move in moves],
            deleted=[move.ref for move in moves if move.new is None],
            users=self._users_refs(moves),
        )
