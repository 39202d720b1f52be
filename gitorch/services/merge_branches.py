"""What goes with a merge: the base that moved on, the branch that it is brought to, and help with conflicts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.task import State, Task
from gitorch.services.workspace import Workspace
from gitorch.storage.atomic import replace
from gitorch.storage.operations import Restated

if TYPE_CHECKING:
    from gitorch.flow.merge import Check, Held, Kept, Plan, Progress, Rebased, Resolver, Target
    from gitorch.flow.merge.candidate import Ground
    from gitorch.replay import Replayer


class Engine(StrEnum):
    """What replays commits: the same result, at different speeds."""

    AUTO = "auto"
    MERGE_TREE = "merge-tree"
    GIT_REBASE = "git-rebase"


class Merging(Workspace):
    """The parts of a merge beside its order and its checks."""

    @contextmanager
    def replaying(
        self, *, squash: bool = False, dry_run: bool = False, engine: Engine = Engine.AUTO
    ) -> Iterator[Replayer]:
        """Yield what a merge replays with: it solves known conflicts and, if asked to, squashes each task.

        A dry run runs no commands and remembers nothing. The `engine` makes no difference to the result.
        """
        from gitorch.flow import merge
        from gitorch.flow.merge.trees.regenerate import Maker

        commands = self.config.merge.regenerate
        maker = None
        if commands and not dry_run:
            self.require_trust()
            maker = Maker(self.means())
        with self._engine(engine) as plain:
            resolver = merge.Resolver(plain, commands, maker.make if maker else None)
            if not dry_run:
                self._learn(resolver)
            yield merge.Squasher(resolver, self.tasks.values()) if squash else resolver
            if not dry_run:
                self._remember_open(resolver)
            self.store.notices.extend(maker.failures if maker else ())

    def _engine(self, engine: Engine) -> Replayer:
        from gitorch.replay import Rebaser, Replayer
        from gitorch.rooms import environment

        if engine is Engine.GIT_REBASE:
            # no task can have this name, and so no worktree of a task is here
            return Rebaser(self.repository, environment.worktree_path(self.repository, self.config, ".rebase"))
        return Replayer(self.repository, whole=engine is Engine.MERGE_TREE)

    def _learn(self, resolver: Resolver) -> None:
        """Learn from the tasks that were in conflict and came back with another tip."""
        from gitorch.flow import merge
        from gitorch.flow.merge.resolutions import OpenConflict

        for file in sorted((self.folder / "conflicts").glob("*.json")):
            known = msgspec.json.decode(file.read_bytes(), type=OpenConflict)
            task = self.tasks.get(known.task)
            if task is not None and task.tip in (known.tip, None):
                continue
            if task is not None and task.tip is not None:
                for commit in merge.answers(self.repository, known.files, task.base, task.tip):
                    resolver.learn(merge.outcomes(self.repository, commit, known.files))
            file.unlink()

    def _remember_open(self, resolver: Resolver) -> None:
        from gitorch.flow.merge.resolutions import OpenConflict, sides

        tips = {task.tip: task for task in self.tasks.values() if task.state is State.CONFLICTED}
        for tip, conflict in resolver.unsolved.items():
            files = {path: one for path, one in sides(conflict).items() if one is not None}
            if tip in tips and files:
                folder = self.folder / "conflicts"
                folder.mkdir(exist_ok=True)
                known = OpenConflict(tips[tip].id, tip, files)
                replace(folder / f"{known.task}.json", msgspec.json.encode(known))

    def _target(self, name: str) -> Target | None:
        """Return the branch that `--into` names, ready to be moved as far as can be told now."""
        from gitorch.flow import merge
        from gitorch.git import checkouts

        if not name:
            return None
        target = merge.find_target(self.repository, name, self.config.integration, self._is_ours)
        checkouts.require_ready(self.repository, target.ref, target.before, target.before)
        return target

    def _rebased(
        self, replayer: Replayer, integration: Oid, at: Oid | None, target: Target | None
    ) -> Rebased | Kept | None:
        """Replay the integration branch on the branch it is brought to, or on its base (`at`), where that moved on."""
        from gitorch.flow import merge

        branch, moved = (target.branch, target.before) if target else (self._base_name(), at)
        if moved is None:
            return None
        found = merge.rebase(replayer, integration, branch, moved, self._is_known)
        if target is not None and isinstance(found, merge.Kept):
            raise Refused(
                "into-diverged",
                f"{branch} moved on by {found.ahead} commits, and {self.config.integration} cannot be replayed on it",
                why=found.reason,
                fix=(f"git switch {branch} && git merge {self.config.integration}",),
            )
        return found

    def _is_known(self, branch: str) -> bool:
        """Tell whether a branch is gitorch's own, or one that was adopted: what is merged of it may be written anew."""
        return self._is_ours(branch) or any(task.branch == branch for task in self.tasks.values())

    def ground(self) -> Ground:
        """Return what a merge would go onto: where the integration branch is, and where its base is."""
        return self._standing()[0]

    def _standing(self) -> tuple[Ground, Oid | None]:
        """Return what a merge would go onto, and where the candidate is, in one look."""
        from gitorch.flow.scheduling import base

        names = [branch_ref(self.config.integration), branch_ref(self.config.candidate)]
        on = self._base_name()
        integration, candidate, *found = self.repository.look_up(*names, *([f"{on}^{{commit}}"] if on else []))
        if integration is None:
            return (None, base.named(self.repository, self.config)), candidate
        return (integration, found[0] if found else None), candidate

    def _base_name(self) -> str:
        """Return the branch that the integration branch stands on; empty where that is not known.

        With `base = "auto"` it is the branch that the integration branch was begun on, and not the one that the user
        happens to be on now.
        """
        name = self.config.base
        if name == "auto":
            name = self._base_record.read_text("utf-8") if self._base_record.exists() else ""
        return name if name.isprintable() and name != "HEAD" else ""

    def _record_base(self, plan: Plan) -> None:
        """Remember the branch that a new integration branch is begun on."""
        if plan.before is None and self.config.base == "auto":
            branch, commit = self.repository.head()
            if branch is not None and commit == plan.onto:
                replace(self._base_record, branch.removeprefix("refs/heads/").encode())

    @property
    def _base_record(self) -> Path:
        return self.folder / "base"

    def _require_approved(self, target: Target, integration: Oid | None) -> None:
        """Raise `Refused` when what nobody has approved would reach a branch of the user's.

        It can be on the integration branch where `merge.auto = "finished"` lets it.
        """
        from gitorch.flow import merge
        from gitorch.git import notes
        from gitorch.services.background import AUTO

        if self.config.merge.auto != "finished" or integration is None:
            return
        listing = self.repository.git("rev-list", integration, f"^{target.before}").text.split("\n")
        commits = [Oid(line) for line in listing if line]
        tips = {str(task.id): task.tip for task in self.tasks.values() if task.tip}
        if found := merge.unapproved(notes.read_all(self.repository), commits, tips, AUTO):
            names = " ".join(found)
            raise Refused(
                "not-approved",
                f"{self.config.integration} holds work that nobody has approved: {names}",
                fix=(f"orchestrate approve {names}",),
            )

    def _stuck(self, plan: Plan, tasks: Sequence[Task]) -> tuple[Held, ...]:
        """Return the tasks of a plan that cannot go in, because the integration branch conflicts with its base."""
        from gitorch.flow import merge
        from gitorch.replay import Conflicted

        assert isinstance(plan.rebased, merge.Rebased)
        assert isinstance(plan.rebased.replayed, Conflicted)
        paths = ", ".join(plan.rebased.replayed.paths)
        reason = f"{self.config.integration} conflicts in {paths} with {plan.rebased.branch}, which moved on"
        return tuple(merge.Held(task, reason) for task in tasks)

    def _moved_merges(self, plan: Plan) -> list[Restated]:
        """Return what becomes of merged tasks when the integration branch is replayed: their commits are others."""
        from gitorch.flow import merge
        from gitorch.replay import Replayed

        if not isinstance(plan.rebased, merge.Rebased) or not isinstance(plan.rebased.replayed, Replayed):
            return []
        new: Mapping[Oid | None, Oid] = dict(plan.rebased.replayed.pairs)
        merged = [(task, task.merged_as) for task in self.tasks.values() if task.state is State.MERGED]
        return [Restated(task.id, task.state, task.state, new[old], task.reason) for task, old in merged if old in new]

    def _check_target(self, plan: Plan, check: Check, verify: str) -> Generator[Progress, None, Plan]:
        """Check what would be brought to a branch of the user's, where no task's merge has checked it."""
        from gitorch.flow import merge

        if plan.target is None or plan.steps or verify == "never" or plan.is_stuck:
            return plan
        yield merge.Progress("check the integration branch", 1, 1)
        results = check(plan.onto)
        red = ", ".join(result.name for result in results if not result.passed)
        if red:
            onto = plan.before or plan.onto
            return msgspec.structs.replace(plan, target=None, rebased=None, onto=onto, red_base=red)
        return msgspec.structs.replace(plan, results=results)


def nothing_merged(integration: str) -> NotFound:
    """Return the error for `--into` before anything was merged."""
    return NotFound(
        "nothing-merged",
        f"there is no {integration} yet, and nothing is approved that could go there",
        fix=("orchestrate review",),
    )
