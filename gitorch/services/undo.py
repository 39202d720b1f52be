"""Take back the last operation, and bring it back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import Refused
from gitorch.model.naming import rescue_ref
from gitorch.model.plan import PlanSession
from gitorch.services.plan_approval import Approving
from gitorch.storage import trust
from gitorch.storage.operations import Operation

if TYPE_CHECKING:
    from gitorch.flow.undo import Past


_Which = Callable[[], Iterator[Operation]]


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo or a redo did: the operation that it was about, its own, and what it could not bring back.

    `plan` is the one whose approval was taken back or brought back, as it is now.
    """

    about: Operation
    made: Operation
    plan: PlanSession | None = None
    missing: tuple[str, ...] = ()


class Undoing(Approving):
    """The operation log, backwards."""

    def undo(self) -> TakenBack:
        """Take the last operation back: refs, notes and tasks as they were before it.

        Raises `Refused`, with nothing moved, where that cannot be done exactly, and says why.
        """
        trust.require_person("take operations back")
        return self._take_back(self.operations.undoable, "there is nothing to take back")

    def redo(self) -> TakenBack:
        """Bring back what the last undo took back, as it was; nothing once something new was done."""
        trust.require_person("bring operations back")
        return self._take_back(self.operations.redoable, "there is nothing to bring back")

    def past(self, most: int | None = None) -> tuple[list[Past], list[Past]]:
        """Return what `redo` and what `undo` would take back, the next first: at most so many of each."""
        from gitorch.flow import undo

        ways = (self.operations.redoable, self.operations.undoable)
        with self.plans.turn():
            self.recover()
            found = [list(itertools.islice(which(), most)) for which in ways]
            every = [*found[0], *found[1]]
            plans = {one.id: one for operation in every if (one := self._plan_of(operation))}
        here = undo.scene(self.repository, self.config, self.tasks, every, plans)
        return undo.past(found[0], here), undo.past(found[1], here)

    def _take_back(self, which: _Which, nothing: str) -> TakenBack:
        from gitorch.flow import undo
        from gitorch.git import notes

        with self.plans.turn(), self._turn(), notes.turn(self.repository):
            self._conclude_all()
            operation = next(which(), None)
            if operation is None:
                raise Refused("nothing-to-undo", nothing, fix=("orchestrate undo --list",))
            plan = self._plan_of(operation)
            with self.store.held():
                plans = {plan.id: plan} if plan else {}
                here = undo.scene(self.repository, self.config, self.store.current(), [operation], plans)
                if refusal := undo.obstacle(operation, here):
                    raise refusal
                if plan and operation.plan:
                    self._begin(plan, operation.plan.at, tuple(one.task for one in operation.changes))
                made = self._operate(
                    undo.inverse_kind(operation),
                    undo.inverse_pairs(operation, here),
                    undo.inverse_moves(self.repository, operation, here),
                    said=operation.said,
                    folders=undo.inverse_folders(operation),
                    plan=operation.plan if plan else None,
                    about=operation,
                )
                assert made is not None
            plan = self._concluded(plan.id) if plan else None
        self.store.snapshot_if_due()
        missing = (*self._missing(made), *self._missing_plan(operation, made))
        return TakenBack(about=operation, made=made, plan=plan, missing=missing)

    def _missing_plan(self, operation: Operation, made: Operation) -> Iterator[str]:
        if operation.plan and not made.plan:
            yield f"the plan {operation.plan.plan} was dropped, and stays so"

    def _missing(self, made: Operation) -> Iterator[str]:
        """Tell what was not refs, notes or tasks, and is gone."""
        for folder in made.folders:
            if not (self.folder / folder.new).exists():
                yield f"what {Path(folder.new).name} printed is no longer there"
        came_back = [self.tasks[one.task] for one in made.changes if one.old is None and one.task in self.tasks]
        for task in came_back:
            if task.worktree and not Path(task.worktree).exists():
                rescue = rescue_ref(task.id)
                saved = f"; its uncommitted files are in {rescue}" if self.repository.at(rescue) else ""
                yield f"the worktree of {task.id} is gone{saved}"
